/**
 * The devices that ONNX Runtime computes on. WebGPU is a part of the npm package's library and needs a Vulkan, Metal or
 * Direct3D driver; CUDA's part is a library beside it that has to be fetched.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Device } from '../../schemas/device.ts'
import { fail } from '../errors.ts'
import { loadRuntime, type Pointer } from './library.ts'
import { locateLibrary } from './locate-library.ts'
import { takeStatus } from './status.ts'

export type Accelerator = Exclude<Device, 'cpu'>

/** What kernels call the memory of a device (OrtMemoryInfo's name), and whether a pointer into it can be moved. */
export const DEVICE_MEMORY = {
  /** Pointers are handles of buffers. */
  webgpu: { name: 'WebGPU_Buf', addressable: false },
  cuda: { name: 'Cuda', addressable: true },
} as const satisfies Record<Accelerator, { name: string; addressable: boolean }>

/** Fetches the libraries for the package's own version into the package; its install script is not run otherwise. */
export const CUDA_COMMAND =
  'ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js'
export const VULKAN_COMMAND = 'apt-get install libvulkan1 mesa-vulkan-drivers'

const CUDA_LIBRARY = 'libonnxruntime_providers_cuda.so'

/** Puts a device before the processor. Fails DEVICE_UNAVAILABLE where this build of ONNX Runtime has none such. */
export function appendDevice(options: Pointer, device: Device): void {
  if (device === 'cpu') return
  const runtime = loadRuntime()
  if (device === 'cuda') checkCudaLibrary()
  const status =
    device === 'cuda'
      ? runtime.appendCuda(options, 0)
      : runtime.api.appendExecutionProvider(options, 'WebGPU', null, null, 0)
  const error = takeStatus(status)
  if (error) refuse(device, error.message)
}

/**
 * Fails DEVICE_UNAVAILABLE when ONNX Runtime's message on loading a model says that the device is not there; returns
 * when it says anything else.
 */
export function explainDevice(device: Device, message: string): void {
  if (device === 'webgpu' && /Failed to get a WebGPU|No supported adapters/.test(message))
    refuse(device, message)
  if (
    device === 'cuda' &&
    /CUDA failure|CUDNN failure|no CUDA-capable|providers_cuda/i.test(message)
  )
    refuse(device, message)
}

function checkCudaLibrary(): void {
  const folder = dirname(locateLibrary())
  if (existsSync(join(folder, CUDA_LIBRARY))) return
  const platform = `${process.platform}-${process.arch}`
  if (platform !== 'linux-x64')
    fail('DEVICE_UNAVAILABLE', `cuda: there are no CUDA libraries for ${platform}, only for linux-x64`) // prettier-ignore
  refuse('cuda', `${CUDA_LIBRARY} is not in ${folder}`)
}

const remedies: Readonly<Record<Accelerator, string>> = {
  webgpu: `a driver for the GPU is needed, on Linux with Vulkan (${VULKAN_COMMAND}, or NVIDIA's driver)`,
  cuda: `get the libraries with "${CUDA_COMMAND}"; CUDA and cuDNN must be installed, too`,
}

function refuse(device: Accelerator, message: string): never {
  // Before it stand the place in ONNX Runtime's source and the condition.
  const reason = message
    .split('\n')[0]!
    .replace(/^.* was false\. /, '')
    .trim()
  return fail('DEVICE_UNAVAILABLE', `${device}: ${reason}; ${remedies[device]} (docs/devices.md)`)
}
