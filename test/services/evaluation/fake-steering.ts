/** A steering evaluation over a generator of known behaviour: its replies carry their values as JSON. */
import type { Test } from 'tap'
import type { AttributeSet } from '../../../schemas/attributes.ts'
import type { SteeringReport } from '../../../schemas/steering-report.ts'
import {
  evaluateSteering,
  type Judge,
  type ReplyRequest,
  type SteeringOptions,
} from '../../../src/services/evaluation/evaluate-steering.ts'

const spec = (name: string) => ({
  name,
  description: '',
  min: 0,
  max: 4,
  levels: ['0', '1', '2', '3', '4'],
  direction: 'neither' as const,
  default: 2,
})

export const attributes: AttributeSet = [spec('humor'), spec('toxicity')]

/** Reads the values that the fake generator wrote. */
export const readBack: Judge = async (inputs) =>
  inputs.map((messages) => JSON.parse(messages.at(-1)!.content) as Record<string, number>)

type Behaviour = (request: ReplyRequest) => Record<string, number>

/** Obeys the label line; without one it is at 2. */
export const perfect = ({ attributes: a }: Pick<ReplyRequest, 'attributes'>) => ({
  humor: a.humor ?? 2,
  toxicity: a.toxicity ?? 2,
})

export function evaluateFake(
  behave: Behaviour,
  overrides: Partial<Omit<SteeringOptions, 'prompts'>> & { readonly prompts?: number } = {},
): Promise<SteeringReport> {
  const { prompts = 8, ...rest } = overrides
  return evaluateSteering({
    model: 'fake',
    apm: null,
    generate: async (request) => JSON.stringify(behave(request)),
    judges: { meters: readBack },
    prompts: Array.from({ length: prompts }, (_, i) => [
      { role: 'user' as const, content: `<b>${i}</b> & "you"?` },
    ]),
    attributes,
    levels: [0, 1, 2, 3, 4],
    temperature: 0.8,
    others: 'random',
    seed: 1,
    concurrency: 3,
    promptOnly: 2,
    bootstrapRounds: 100,
    ...rest,
  })
}

export function near(t: Test, found: number | null | undefined, wanted: number, what: string) {
  t.ok(
    typeof found === 'number' && Math.abs(found - wanted) < 1e-9,
    `${what}: expected ${wanted}, found ${found}`,
  )
}
