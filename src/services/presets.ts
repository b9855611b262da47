/** The presets of a model: its own, and two that follow from what its attributes declare. */
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { Preset } from '../../schemas/presets.ts'
import { fail } from '../errors.ts'
import type { ModelInfo } from './runtime-types.ts'

/** The model's own first. */
export function presetsOf({ attributes, presets = [] }: PresetSource): readonly Preset[] {
  const own = new Set(presets.map(({ name }) => name))
  return [...presets, ...builtIn(attributes).filter(({ name }) => !own.has(name))]
}

type PresetSource = Pick<ModelInfo, 'attributes' | 'presets'>

/** Fails BAD_REQUEST with the names there are. */
export function findPreset(info: ModelInfo, name: string): Preset {
  const all = presetsOf(info)
  const names = all.map((preset) => preset.name).join(', ') || 'none'
  return (
    all.find((preset) => preset.name === name) ??
    fail(
      'BAD_REQUEST',
      `steering.preset: "${name}" is no preset of "${info.id}"; known: ${names}`,
      {
        param: 'steering.preset',
      },
    )
  )
}

function builtIn(attributes: AttributeSet): Preset[] {
  if (attributes.length === 0) return []
  const best = attributes.map(({ name, direction, min, max, default: usual }) => [
    name,
    direction === 'higher' ? max : direction === 'lower' ? min : usual,
  ])
  return [
    {
      name: 'default',
      description: 'Every attribute at its default.',
      attributes: Object.fromEntries(attributes.map((spec) => [spec.name, spec.default])),
    },
    {
      name: 'best',
      description: 'Every attribute at its better end, those without one at their defaults.',
      attributes: Object.fromEntries(best),
    },
  ]
}
