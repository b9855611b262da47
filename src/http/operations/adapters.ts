/** Adapters: listed, loaded and unloaded. */
import {
  AdapterList,
  AdapterObject,
  LoadAdapterRequest,
  UnloadAdapterRequest,
} from '../../../schemas/adapters.ts'
import type { Operation } from './operation.ts'

export const adapterSchemas = {
  AdapterList,
  AdapterObject,
  LoadAdapterRequest,
  UnloadAdapterRequest,
} as const

export const adapterOperations: readonly Operation<keyof typeof adapterSchemas>[] = [
  { method: 'get', path: '/v1/adapters', summary: 'The adapters', response: 'AdapterList' },
  {
    method: 'post',
    path: '/v1/load_lora_adapter',
    summary: 'Serve a LoRA adapter under a name of its own, without a restart',
    body: 'LoadAdapterRequest',
    response: 'AdapterObject',
    errors: [404, 409, 413, 415],
  },
  {
    method: 'post',
    path: '/v1/unload_lora_adapter',
    summary: 'Stop serving an adapter and delete it; replies that are being written go on',
    body: 'UnloadAdapterRequest',
    response: null,
    errors: [404, 413, 415],
  },
]
