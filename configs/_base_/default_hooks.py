# Inherited by the schedules, which say how often a checkpoint is written: that depends on their length.
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmlmseg.CheckpointHook',
        by_epoch=False,
        max_keep_ckpts=2,
        save_best='mean/mIoU',
        rule='greater',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    label_spaces=dict(type='mmlmseg.CheckLabelSpacesHook'),  # of the model and of its data are the same
    preemption=dict(type='mmlmseg.PreemptionHook'),  # a checkpoint and the end, on SIGTERM
    visualization=dict(type='mmlmseg.VisualizationHook'),
)
