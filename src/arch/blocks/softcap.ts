/** c·tanh(x/c): keeps scores within ±c. (Gemma Team 2024) */
import type { Value } from '../../graph/graph.ts'
import type { Builder } from '../../ops/builder.ts'

export function softcap(b: Builder, x: Value, cap: number | null): Value {
  if (cap === null) return x
  const bounded = b.op('Tanh', [b.op('Mul', [x, b.scalar(1 / cap)], {})], {})
  return b.op('Mul', [bounded, b.scalar(cap)], {})
}
