// Asks a model server what a shopper may want next:
//   node recommend.js localhost:8500 85123A,22423 5
"use strict";

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");

const PROTOS = path.join(__dirname, "../../../serving/protos");
const TYPES = { DT_STRING: "stringVal", DT_INT64: "int64Val", DT_FLOAT: "floatVal" };

const definition = protoLoader.loadSync(path.join(__dirname, "prediction_service.proto"), {
  includeDirs: [__dirname, PROTOS],
  longs: String, // An int64 does not fit a JavaScript number.
  enums: String,
  defaults: true,
});
const { PredictionService } = grpc.loadPackageDefinition(definition).tensorflow.serving;

/** Makes values a tensor of a shape. */
function tensor(dtype, shape, values) {
  return {
    dtype,
    tensorShape: { dim: shape.map((size) => ({ size })) },
    [TYPES[dtype]]: dtype === "DT_STRING" ? values.map((text) => Buffer.from(text)) : values,
  };
}

/** Returns the values of a tensor in row-major order, whichever way they are encoded. */
function valuesOf(proto) {
  const count = proto.tensorShape.dim.reduce((product, dim) => product * Number(dim.size), 1);
  if (proto.dtype === "DT_STRING") return proto.stringVal.map((bytes) => bytes.toString("utf8"));
  if (proto.dtype === "DT_FLOAT" && proto.tensorContent.length) {
    return Array.from({ length: count }, (_, i) => proto.tensorContent.readFloatLE(4 * i));
  }
  const values = proto[TYPES[proto.dtype]];
  // A shorter list repeats its last value.
  return Array.from({ length: count }, (_, i) => values[Math.min(i, values.length - 1)]);
}

/** Returns the k best items for a history of item ids, oldest first. */
function recommend(client, history, k, context = {}) {
  // "" is padding; a server that batches pads other histories with copies of the first value.
  const ids = ["", ...history];
  const row = [1, ids.length];
  const inputs = {
    history_item_id: tensor("DT_STRING", row, ids),
    history_event: tensor("DT_STRING", row, ids.map(() => "")),
    history_timestamp: tensor("DT_INT64", row, ids.map(() => "0")),
    exclude_item_id: tensor("DT_STRING", [1, 1], [""]),
  };
  for (const [name, value] of Object.entries(context)) {
    inputs[`context_${name}`] = tensor("DT_STRING", [1], [value]);
  }
  const request = { modelSpec: { name: "recommender", signatureName: "serving_default" }, inputs };
  const options = { deadline: Date.now() + 5000 };
  return new Promise((resolve, reject) => {
    client.Predict(request, options, (error, response) => {
      if (error) return reject(error);
      const [items, scores] = ["item_id", "score"].map((name) => valuesOf(response.outputs[name]));
      resolve(
        items
          .map((itemId, i) => ({ itemId, score: scores[i] }))
          .filter((item) => item.itemId)
          .slice(0, k),
      );
    });
  });
}

async function main([address, history, k = "10", ...pairs]) {
  const client = new PredictionService(address, grpc.credentials.createInsecure(), {
    "grpc.enable_http_proxy": 0,
  });
  const context = Object.fromEntries(pairs.map((pair) => pair.split("=")));
  const items = await recommend(client, history.split(",").filter(Boolean), Number(k), context);
  console.log(JSON.stringify(items));
  client.close();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`error: ${error.details || error.message}`);
  process.exitCode = 2;
});
