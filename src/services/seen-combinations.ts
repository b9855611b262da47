/** Which label combinations a model was trained on, and what to say of those it was not. */
import type { SteeringWarning } from '../../schemas/common.ts'
import type { LabelCombination } from '../../schemas/model-manifest.ts'
import type { ModelInfo } from './runtime-types.ts'

type Values = Readonly<Record<string, number>>
type Seen = readonly Pick<LabelCombination, 'values' | 'count'>[]

/** Keys of a list of combinations; the list of a model is the same object for all its requests. */
const keysOf = new WeakMap<Seen, ReadonlySet<string>>()

/** One for each combination that the training data never held; none where it is not known what they held. */
export function unseenWarnings(
  info: ModelInfo,
  combinations: readonly Values[],
): SteeringWarning[] {
  const { combinations: seen, attributes } = info
  if (!seen || seen.length === 0) return []
  const names = attributes.map(({ name }) => name)
  const valuesOf = (combination: Values) => names.map((name) => combination[name]!)
  const keys = keysOf.get(seen) ?? new Set(seen.map(({ values }) => values.join()))
  keysOf.set(seen, keys)
  return combinations
    .filter((combination) => !keys.has(valuesOf(combination).join()))
    .map((combination) => {
      const nearest = nearestSeen(seen, valuesOf(combination))
      return {
        code: 'combination_unseen',
        message: `training never held ${describe(names, valuesOf(combination))}; the nearest that it held is ${describe(names, nearest)}`,
        combination: toRecord(names, valuesOf(combination)),
        nearest: toRecord(names, nearest),
      }
    })
}

/** By the sum of the differences in levels; among equals the one seen most. */
function nearestSeen(seen: Seen, wanted: readonly number[]): readonly number[] {
  const distance = (values: readonly number[]) =>
    values.reduce((sum, value, i) => sum + Math.abs(value - wanted[i]!), 0)
  let best = { values: seen[0]!.values, far: Infinity, count: 0 }
  for (const { values, count } of seen) {
    const far = distance(values)
    if (far < best.far || (far === best.far && count > best.count)) best = { values, far, count }
  }
  return best.values
}

const describe = (names: readonly string[], values: readonly number[]) =>
  names.map((name, i) => `${name}:${values[i]}`).join()

const toRecord = (names: readonly string[], values: readonly number[]) =>
  Object.fromEntries(names.map((name, i) => [name, values[i]!]))
