/** Adapters beside the models: their own file, and what /v1/adapters tells and takes. */
import { z } from 'zod'

/** `steerlm-adapter.json`, beside the files of PEFT. */
export const AdapterManifest = z.strictObject({
  name: z.string().min(1).max(128),
  /** The model that it belongs to, by the name that is served. */
  base: z.string().min(1).max(200),
  createdAt: z.string(),
})
export type AdapterManifest = z.infer<typeof AdapterManifest>

export const AdapterObject = z.strictObject({
  object: z.literal('adapter'),
  /** The name that requests use as `model`. */
  id: z.string(),
  base: z.string(),
  /** Seconds since 1970. */
  created: z.int(),
  /** False while its base is not served here. */
  served: z.boolean(),
})
export type AdapterObject = z.infer<typeof AdapterObject>

export const AdapterList = z.strictObject({
  object: z.literal('list'),
  data: z.array(AdapterObject),
})
export type AdapterList = z.infer<typeof AdapterList>

/** vLLM's body; the path lies below the server's import folder. */
export const LoadAdapterRequest = z.strictObject({
  lora_name: z.string().min(1).max(100),
  lora_path: z.string().min(1).max(1000),
  /** The served model that it belongs to; unless given, what the adapter's own file says. */
  base_model_name: z.string().min(1).max(200).nullish(),
})
export type LoadAdapterRequest = z.infer<typeof LoadAdapterRequest>

export const UnloadAdapterRequest = z.strictObject({ lora_name: z.string().min(1).max(100) })
export type UnloadAdapterRequest = z.infer<typeof UnloadAdapterRequest>
