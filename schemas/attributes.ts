/**
 * Attributes: what a model can be steered by. The order of a set is the order of the label line.
 * The built-in sets stand in `src/labels/attribute-sets.ts`.
 */
import { z } from 'zod'

/** The form of an attribute name; it is also what a label line can hold before the colon. */
export const attributeNamePattern = /^[a-z][a-z0-9_]*$/

/** One attribute with its integer levels. `default` is what a page shows before the user moves anything. */
export const AttributeSpec = z
  .strictObject({
    name: z.string().max(64).regex(attributeNamePattern),
    description: z.string(),
    min: z.int(),
    max: z.int(),
    /** The label of each integer level, from `min` to `max`. */
    levels: z.array(z.string()).max(101),
    /** Which end a reader would call better; `neither` where it is a matter of taste. */
    direction: z.enum(['higher', 'lower', 'neither']),
    default: z.number(),
  })
  .refine((spec) => spec.max > spec.min, { error: 'max must be greater than min', path: ['max'] })
  .refine((spec) => spec.levels.length === spec.max - spec.min + 1, {
    error: 'levels must name every integer from min to max',
    path: ['levels'],
  })
  .refine((spec) => spec.default >= spec.min && spec.default <= spec.max, {
    error: 'default must lie between min and max',
    path: ['default'],
  })
export type AttributeSpec = z.infer<typeof AttributeSpec>

/** Attributes in label-line order; names are unique. */
export const AttributeSet = z
  .array(AttributeSpec)
  .max(64)
  .refine((set) => new Set(set.map((spec) => spec.name)).size === set.length, {
    error: 'attribute names must be unique',
  })
export type AttributeSet = z.infer<typeof AttributeSet>

/** Values by attribute name. A missing name means "not given", never zero. */
export const AttributeValues = z.record(z.string(), z.number())
export type AttributeValues = z.infer<typeof AttributeValues>
