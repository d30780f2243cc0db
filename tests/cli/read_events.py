"""Reads a run's event file with TensorBoard's own reader and holds it against the run's log."""
import glob, json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, STORE_EVERYTHING_SIZE_GUIDANCE
from tensorboard.plugins.hparams import plugin_data_pb2

run = sys.argv[1]
files = glob.glob(run + "/events.out.tfevents.*")
assert len(files) == 1, files
acc = EventAccumulator(run, size_guidance=STORE_EVERYTHING_SIZE_GUIDANCE)
acc.Reload()
tags = acc.Tags()
log = [json.loads(l) for l in open(run + "/log.jsonl")]
epochs = [e for e in log if e["event"] == "epoch"]
for name in ("loss", "accuracy"):
    got = [(e.step, e.value) for e in acc.Scalars(name)]
    want = [(e["step"], e[name]) for e in epochs]
    assert [s for s, _ in got] == [s for s, _ in want], (got, want)
    assert all(abs(a[1] - b[1]) <= 1e-6 * abs(b[1]) for a, b in zip(got, want)), (got, want)

assert sorted(tags["histograms"]) == ["net/dense1/b", "net/dense1/w", "net/dense2/b", "net/dense2/w"], tags["histograms"]
h = acc.Histograms("net/dense1/w")[-1].histogram_value
assert h.num == 64 * 16 and abs(sum(h.bucket) - h.num) < 1e-9 and h.min < 0 < h.max and h.min * h.num < h.sum < h.max * h.num
assert h.sum_squares > 0 and len(h.bucket_limit) == len(h.bucket) and list(h.bucket_limit) == sorted(h.bucket_limit)

assert tags["images"] == ["images"], tags["images"]
image = acc.Images("images")[0]
assert image.encoded_image_string.startswith(b"\x89PNG") and image.width == 4 * 8 + 3 * 2 and image.height == image.width

nodes = {n.name: n for n in acc.Graph().node}
assert all(i in nodes for n in nodes.values() for i in n.input), "an input of a node is no node"
w = nodes["net.dense1.w"]
assert w.op == "Parameter" and [d.size for d in w.attr["_output_shapes"].list.shape[0].dim] == [64, 16]
assert any("net.dense1.w" in n.input for n in nodes.values())

data = plugin_data_pb2.HParamsPluginData.FromString(
    acc.summary_metadata["_hparams_/session_start_info"].plugin_data.content)
got = {k: (v.number_value if v.WhichOneof("kind") == "number_value" else v.string_value)
       for k, v in data.session_start_info.hparams.items()}
assert got == {"file": "net.nn", "seed": 5, "batch": 32, "rate": 0.02}, got
end = plugin_data_pb2.HParamsPluginData.FromString(
    acc.summary_metadata["_hparams_/session_end_info"].plugin_data.content)
assert end.session_end_info.status == 1
