# Trained on changing class names, to be asked by names it has not seen (tools/benchmarks/renamed_classes.py).
# The lists stay whole: dropping absent classes from them would blur what the names alone do.
_base_ = ['./lmseg_r18_clash5.py', '../_base_/synonyms/clash5.json']

label_spaces = [
    dict(path=folder, synonyms=_base_.train_synonyms[name]) for folder, name in zip(_base_.folders, _base_.long_side)
]
model = dict(decode_head=dict(label_spaces=label_spaces, text=dict(sample_synonyms=True)))
