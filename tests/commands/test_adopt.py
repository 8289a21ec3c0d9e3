import json

from depthseg_lib import fingerprint
from depthseg_lib.commands import adopt
from depthseg_lib.commands.progress import Job
from depthseg_lib.study.workflow import Request


def test_only_changed_and_missing_files_are_named(tmp_path):
    files = [tmp_path / name for name in ("same.py", "other.py", "gone.py", "new.py")]
    for file in files[:2] + files[3:]:
        file.write_text("as it was")
    recorded = {fingerprint.label(file): fingerprint.sha256(file) for file in files[:2]}
    recorded[fingerprint.label(files[2])] = "0"
    files[1].write_text("changed")
    assert adopt.changed(files, recorded) == [fingerprint.label(file) for file in files[1:]]


def test_a_run_is_as_good_as_what_it_started_from(tmp_path):
    request = Request("laptop", runs=str(tmp_path / "runs"), notebooks=str(tmp_path / "notebooks"))
    first = Job(("pretrain", "first"), 1.0, data_set="streets")
    second = Job(("finetune", "second"), 1.0, (first.key,), "streets")
    unfinished = Job(("finetune", "unfinished"), 1.0, (), "streets")
    for name in ("01_pretrain", "02_finetune"):
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        (tmp_path / f"notebooks/{name}.ipynb").write_text("{}")
    for job in (first, second):
        folder = request.folder(job.key)
        folder.mkdir(parents=True)
        for name in ("params.json", "metrics.json", "weights.safetensors"):
            (folder / name).write_text("{}")
        fingerprint.record(folder, [str(file) for file in adopt.inputs_of(request, job)])
    said = []
    assert adopt.sort(request, [first, second, unfinished], said.append) == [first.key, second.key]
    assert said == []
    (request.folder(first.key) / "params.json").write_text('{"rate": 2}')
    assert adopt.sort(request, [first, second, unfinished], said.append) == []
    assert said[0].endswith("changed: first/params.json") and said[1].endswith("first is not adopted")


def test_a_run_without_its_record_is_not_adopted(tmp_path):
    request = Request("laptop", runs=str(tmp_path))
    job = Job(("finetune", "a"), 1.0)
    request.folder(job.key).mkdir(parents=True)
    (request.folder(job.key) / "metrics.json").write_text("{}")
    said = []
    assert adopt.sort(request, [job], said.append) == []
    assert said == ["finetune a  not adopted: it has no readable inputs.json"]


def test_the_record_holds_the_library_and_the_given_files(tmp_path):
    (tmp_path / "params.json").write_text("{}")
    fingerprint.record(tmp_path, [str(tmp_path / "params.json"), None, str(tmp_path / "missing")])
    recorded = json.loads((tmp_path / fingerprint.NAME).read_text())
    assert recorded[f"{tmp_path.name}/params.json"] == fingerprint.sha256(tmp_path / "params.json")
    assert "training/engine.py" in recorded and "data/labels.py" in recorded
