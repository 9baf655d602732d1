# The small Mask2Former: RESI with one set of queries and without language.
_base_ = './resi_r18.py'

model = dict(
    decode_head=dict(
        text=None,
        queries=dict(_delete_=True, type='mmlmseg.SharedQueries', num_queries=30, learn_content=True),
        classifier=dict(type='mmlmseg.LinearClassifier'),
    )
)
