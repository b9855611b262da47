/**
 * `steerlm.json`, our own file in a model folder. A folder without it is a plain language model.
 */
import { z } from 'zod'
import { AttributeSet } from './attributes.ts'
import { Calibration } from './calibration.ts'
import { Presets } from './presets.ts'

export const TemplateKind = z.enum(['chat', 'nemo'])
export type TemplateKind = z.infer<typeof TemplateKind>

/** How the weights are stored: `f32`, `f16`, or integers of 8 or 4 bits in blocks. */
export const QuantizationScheme = z.enum(['f32', 'f16', 'q8', 'q4', 'q4-all'])
export type QuantizationScheme = z.infer<typeof QuantizationScheme>

/** A label combination seen in training: `values` in the order of `attributes`. */
export const LabelCombination = z.strictObject({
  values: z.array(z.number()),
  count: z.int().positive(),
})
export type LabelCombination = z.infer<typeof LabelCombination>

export const ModelManifest = z
  .strictObject({
    kind: z.enum(['language-model', 'attribute-model']),
    name: z.string().min(1).max(128),
    template: TemplateKind,
    /** Empty: the model cannot be steered. */
    attributes: AttributeSet,
    combinations: z.array(LabelCombination).optional(),
    /** Of an attribute model: from scores to ratings. */
    calibration: Calibration.optional(),
    /** Named settings of the sliders. */
    presets: Presets.optional(),
    /** What `import --quantize` made of the weights; absent: they are as they came. */
    quantization: QuantizationScheme.optional(),
    /** How the model came to be: hyper-parameters, seeds, data set hashes, code version per stage. */
    stages: z.array(z.unknown()).optional(),
    metrics: z.record(z.string(), z.unknown()).optional(),
    createdAt: z.string().optional(),
    /** The hub that the checkpoint was imported from; `commit` is what the revision meant then. */
    source: z
      .strictObject({
        hub: z.string(),
        revision: z.string(),
        commit: z.string(),
        endpoint: z.string(),
      })
      .optional(),
  })
  .refine(
    (manifest) =>
      (manifest.combinations ?? []).every(
        (combination) => combination.values.length === manifest.attributes.length,
      ),
    { error: 'a combination must have one value per attribute', path: ['combinations'] },
  )
  .refine((manifest) => manifest.kind !== 'attribute-model' || manifest.attributes.length > 0, {
    error: 'an attribute model must declare its attributes',
    path: ['attributes'],
  })
export type ModelManifest = z.infer<typeof ModelManifest>
