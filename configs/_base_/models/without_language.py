# LMSeg without language is MaskFormer, RESI without language is Mask2Former: a linear classifier for each label space,
# so with several it is the multi-head baseline. Configs that inherit this file put one of the two into decode_head.
maskformer_head = dict(
    text=None, decoder=dict(type='mmlmseg.PlainDecoder'), classifier=dict(type='mmlmseg.LinearClassifier')
)
mask2former_head = dict(
    text=None,
    queries=dict(type='mmlmseg.SharedQueries', learn_content=True),
    classifier=dict(type='mmlmseg.LinearClassifier'),
)
