/** Named settings of a model's sliders: in its `steerlm.json`, in the server's presets file, or built in. */
import { z } from 'zod'
import { AttributeValues } from './attributes.ts'

export const presetNamePattern = /^[a-z0-9][a-z0-9_-]*$/

export const Preset = z.strictObject({
  name: z.string().max(64).regex(presetNamePattern),
  description: z.string().max(500).optional(),
  /** Those left out take the model's defaults. */
  attributes: AttributeValues,
  /** As in `steering`. */
  guidance: z.number().min(0).max(10).optional(),
  avoid: AttributeValues.optional(),
})
export type Preset = z.infer<typeof Preset>

export const Presets = z
  .array(Preset)
  .max(256)
  .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, {
    error: 'preset names must be unique',
  })
