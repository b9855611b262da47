/** Learning-rate schedules over optimizer steps, counted from 1. */

export type ScheduleKind = 'constant' | 'linear' | 'cosine'

export interface Schedule {
  readonly kind: ScheduleKind
  readonly lr: number
  readonly warmupSteps: number
  readonly totalSteps: number
  /** Where linear and cosine end, as a share of `lr`. */
  readonly floor?: number
}

/** Linear warm-up to `lr`, then constant, a straight line or half a cosine down to the floor. */
export function learningRate(schedule: Schedule, step: number): number {
  const { kind, lr, warmupSteps, totalSteps, floor = 0 } = schedule
  if (step <= warmupSteps) return (lr * step) / warmupSteps
  if (kind === 'constant') return lr
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps))
  const shape = kind === 'linear' ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress))
  return lr * (floor + (1 - floor) * shape)
}
