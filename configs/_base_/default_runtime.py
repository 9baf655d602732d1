default_scope = 'mmseg'
custom_imports = dict(imports=['mmlmseg'], allow_failed_imports=False)

env_cfg = dict(
    cudnn_benchmark=False,  # crops differ in size between datasets, so tuning per size would never settle
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
log_processor = dict(type='mmlmseg.LogProcessor', by_epoch=False)
log_level = 'INFO'

visualizer = dict(type='mmlmseg.MultiSpaceVisualizer', vis_backends=[dict(type='LocalVisBackend')])
load_from = None
resume = False
