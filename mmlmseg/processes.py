"""Several processes on machines without a GPU, where mmengine would ask each for its own."""

from __future__ import annotations

import gc
import os
import subprocess

import torch
from mmengine.config import Config
from mmengine.device import is_cuda_available, is_mlu_available, is_musa_available, is_npu_available

from .errors import OptionError

# What says rank, number of processes and local rank where torchrun did not start them.
_VARIABLES = {
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID', 'SLURM_NODELIST'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def has_accelerator() -> bool:
    """Whether this machine has a device for mixed precision: a GPU or one of the other accelerators mmengine knows."""
    return is_cuda_available() or is_npu_available() or is_mlu_available() or is_musa_available()


def join_processes(cfg: Config) -> None:
    """Prepares a config for several processes, and lets them meet over gloo where there is no accelerator.

    Raises:
        OptionError: Where the variables of ``cfg.launcher`` are missing.
    """
    if cfg.launcher == 'none':
        return
    wrapper = dict(type='MMDistributedDataParallel', broadcast_buffers=False)
    wrapper['find_unused_parameters'] = cfg.get('find_unused_parameters', False)
    if not has_accelerator():
        if cfg.launcher in _VARIABLES:
            _name_processes(cfg.launcher)
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group('gloo')
        wrapper['device_ids'] = None  # where mmengine would name the GPU of the process
        wrapper['gradient_as_bucket_view'] = True  # gradients are sent from where they are, not copied first
        cfg.model_wrapper_cfg = {**wrapper, **cfg.get('model_wrapper_cfg', {}), 'device_ids': None}
    if cfg.get('runner_type') == 'FlexibleRunner':  # which reads neither find_unused_parameters nor model_wrapper_cfg
        cfg.strategy = {'type': 'DDPStrategy', **(cfg.get('strategy') or {})}
        if cfg.strategy.type == 'DDPStrategy':
            cfg.strategy.model_wrapper = {**wrapper, **(cfg.strategy.get('model_wrapper') or {})}


def leave_processes() -> None:
    """Lets several processes end together; one that is left waiting by the end of another dies with an error.

    Call it when nothing refers to the runner any more: its model holds the threads that talk to the other processes.
    """
    if torch.distributed.is_initialized():
        gc.collect()  # a runner is a cycle; threads that outlive the interpreter abort the process now and then
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def _name_processes(launcher: str) -> None:
    """Sets what torch reads, as torchrun does, from what Slurm or MPI set."""
    theirs = _VARIABLES[launcher]
    if missing := [name for name in theirs if name not in os.environ]:
        raise OptionError(
            f'--launcher {launcher}: {", ".join(missing)} not set; start the script by '
            f'{"srun" if launcher == "slurm" else "mpirun"}, or with --launcher pytorch by torchrun'
        )
    os.environ.update({ours: os.environ[name] for ours, name in zip(('RANK', 'WORLD_SIZE', 'LOCAL_RANK'), theirs)})
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        if launcher == 'mpi':
            raise OptionError('--launcher mpi: set MASTER_ADDR to the address of the machine of rank 0')
        listed = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
        os.environ['MASTER_ADDR'] = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()[0]
