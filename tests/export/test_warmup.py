import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tfrec.export.warmup import MOST_RECORDS, RECORDS, examples


def records(models, name):
    (version,) = (models / name).iterdir()
    for record in tf.data.TFRecordDataset(str(version / RECORDS)):
        yield prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request


def test_every_signature_is_warmed_up_by_histories_of_different_lengths(models, signatures):
    for name, offered in signatures.items():
        requests = list(records(models, name))
        by_signature = {}
        for request in requests:
            assert request.model_spec.name == name
            by_signature.setdefault(request.model_spec.signature_name, []).append(request)
        assert {key: len(found) for key, found in by_signature.items()} == dict.fromkeys(offered, 3)
        lengths = {
            request.inputs["history_item_id"].tensor_shape.dim[1].size
            for request in by_signature["serving_default"]
        }
        assert len(lengths) == 3


def test_the_records_run(models, signatures):
    for name, offered in signatures.items():
        for request in records(models, name):
            inputs = {
                alias: tf.constant(tf.make_ndarray(proto))
                for alias, proto in request.inputs.items()
            }
            signature = offered[request.model_spec.signature_name]
            assert set(inputs) == set(signature.structured_input_signature[1])
            outputs = signature(**inputs)
            assert all(len(values) == 1 for values in outputs.values())


def test_the_requests_are_real_histories(models, trained):
    histories, items = trained.dataset.histories("test"), trained.dataset.items["item_id"]
    real = {
        tuple(items[item - 1] for item in histories.item[histories.history(shopper)])
        for shopper in range(len(histories))
    }
    for request in records(models, "recommender"):
        sent = [item.decode() for item in request.inputs["history_item_id"].string_val]
        assert tuple(item for item in sent if item) in real
        assert request.inputs["context_country"].string_val[0] in (b"NL", b"FR", b"")


def test_more_examples_than_shoppers_are_all_shoppers(trained):
    histories = trained.dataset.histories("test")
    spec, items = trained.retrieval.spec, trained.dataset.items
    assert len(examples(histories, items, spec, MOST_RECORDS)) == len(histories)
    assert examples(histories, items, spec, 0) == []
