// Notes what a shopper did, and asks what they may want next:
//   API_KEY=... node gateway.js localhost:8600 shopper-7 85123A
"use strict";

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");

const PROTO = path.join(__dirname, "../../../serving/gateway/protos/gateway.proto");
const definition = protoLoader.loadSync(PROTO, { longs: String, defaults: true });
const { Gateway } = grpc.loadPackageDefinition(definition).tfrec.gateway.v1;

/** Calls a method with a deadline of five seconds and the caller's key. */
function call(client, method, request) {
  const metadata = new grpc.Metadata();
  if (process.env.API_KEY) metadata.set("x-api-key", process.env.API_KEY);
  return new Promise((resolve, reject) => {
    client[method](request, metadata, { deadline: Date.now() + 5000 }, (error, response) =>
      error ? reject(error) : resolve(response),
    );
  });
}

async function main([address, userId, itemId]) {
  const client = new Gateway(address, grpc.credentials.createInsecure(), {
    "grpc.enable_http_proxy": 0,
  });
  await call(client, "RecordEvent", { userId, itemId, event: "click" });
  const answer = await call(client, "RecommendFor", { userId, k: 5 });
  console.log(JSON.stringify(answer.items.map(({ itemId, title }) => ({ itemId, title }))));
  client.close();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`error: ${error.details || error.message}`);
  process.exitCode = 2;
});
