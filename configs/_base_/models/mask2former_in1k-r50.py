# Mask2Former: RESI with one set of queries and without language. One linear classifier per label space.
_base_ = './resi_in1k-r50.py'

model = dict(
    decode_head=dict(
        text=None,
        queries=dict(_delete_=True, type='mmlmseg.SharedQueries', num_queries=100, learn_content=True),
        classifier=dict(type='mmlmseg.LinearClassifier'),
    )
)
