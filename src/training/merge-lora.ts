/** Adds adapters to the weights they were trained for: W += (α/r) · B A. */
import type { Adapter } from '../weights/peft-adapter.ts'

/** Changes `weights` in place. A is [r, in], B is [out, r], W is [out, in]. */
export function mergeLora(weights: ReadonlyMap<string, Float32Array>, adapter: Adapter): void {
  const { rank } = adapter
  const scale = adapter.alpha / rank
  for (const layer of adapter.targets) {
    const a = adapter.tensors.get(`${layer}.lora_A`)
    const b = adapter.tensors.get(`${layer}.lora_B`)
    const w = weights.get(`${layer}.weight`)
    if (!a || !b || !w) throw new Error(`internal: adapter of ${layer} is incomplete`)
    const columns = a.length / rank
    for (let o = 0; o < b.length / rank; o++) {
      for (let i = 0; i < columns; i++) {
        let sum = 0
        for (let r = 0; r < rank; r++) sum += b[o * rank + r]! * a[r * columns + i]!
        w[o * columns + i]! += scale * sum
      }
    }
  }
}
