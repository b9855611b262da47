import t from 'tap'
import { learningRate, type Schedule } from '../../src/training/schedule.ts'

const values = (schedule: Schedule, ...steps: number[]) =>
  steps.map((step) => Number(learningRate(schedule, step).toFixed(12)))

t.test('the warm-up is a line from zero that reaches the rate at its last step', async (t) => {
  for (const kind of ['constant', 'linear', 'cosine'] as const) {
    const schedule = { kind, lr: 0.8, warmupSteps: 4, totalSteps: 12 }
    t.same(values(schedule, 1, 2, 3, 4), [0.2, 0.4, 0.6, 0.8])
  }
})

t.test('constant stays', async (t) => {
  const schedule = { kind: 'constant', lr: 0.5, warmupSteps: 0, totalSteps: 3 } as const
  t.same(values(schedule, 1, 2, 3, 100), [0.5, 0.5, 0.5, 0.5])
})

t.test('linear is a straight line to zero, or to the floor', async (t) => {
  const schedule = { kind: 'linear', lr: 0.8, warmupSteps: 4, totalSteps: 12 } as const
  t.same(values(schedule, 5, 8, 11, 12), [0.7, 0.4, 0.1, 0])
  t.same(values({ ...schedule, floor: 0.5 }, 8, 12), [0.6, 0.4])
})

t.test('cosine is half a turn to zero, or to the floor', async (t) => {
  const schedule = { kind: 'cosine', lr: 0.8, warmupSteps: 4, totalSteps: 12 } as const
  const sixth = 0.8 * 0.5 * (1 + Math.SQRT1_2)
  t.same(values(schedule, 6, 8, 12), [Number(sixth.toFixed(12)), 0.4, 0])
  t.same(values({ ...schedule, floor: 0.5 }, 8, 12), [0.6, 0.4])
})

t.test(
  'steps beyond the end stay at the end; a warm-up as long as the training works',
  async (t) => {
    const schedule = { kind: 'cosine', lr: 1, warmupSteps: 0, totalSteps: 10 } as const
    t.same(values(schedule, 11, 50), [0, 0])
    t.same(values({ ...schedule, warmupSteps: 10 }, 10), [1])
  },
)
