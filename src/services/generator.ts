/**
 * The generating use case: choices of a request side by side, sampling defaults, seeds, measuring what a
 * reply achieved and choosing the best of several. Over runtimes; knows nothing of HTTP.
 */
import type { SteeringReport } from '../../schemas/common.ts'
import { SteerError, fail } from '../errors.ts'
import { bestReply, distances } from './best-reply.ts'
import type { Choice, GenerationEvent, GenerationRequest, Generator } from './generation-types.ts'
import { mergeStreams } from './merge-streams.ts'
import type { Models } from './models.ts'
import type { ModelRuntime, TextUsage } from './runtime-types.ts'
import { planSteering, type SteeringPlan } from './steering-plan.ts'

export type * from './generation-types.ts'

/** A request with its models found. */
interface Plan {
  request: GenerationRequest
  model: ModelRuntime
  predictor: ModelRuntime | null
  /** Of each prompt. */
  steering: readonly SteeringPlan[]
  choices: number
  /** Lets go of the models; a request keeps those that it began with, should they be replaced meanwhile. */
  release(): void
}

export function createGenerator(models: Models): Generator {
  const plan = (request: GenerationRequest): Plan => {
    const model = models.getGenerative(request.model)
    const predictor = models.predictorFor(model)
    const steering = request.prompts.map((prompt) => planSteering(model.info, request, prompt))
    if (request.verify) checkVerifiable(request, steering, predictor)
    const holds = [model.hold?.(), predictor?.hold?.()]
    const release = (): void => holds.forEach((letGo) => letGo?.())
    const choices = request.prompts.length * request.n
    return { request, model, predictor, steering, choices, release }
  }
  return {
    async *stream(request, signal) {
      const planned = plan(request)
      try {
        yield* streamChoices(planned, signal)
      } finally {
        planned.release()
      }
    },
    async complete(request, signal) {
      const planned = plan(request)
      try {
        return await completeChoices(planned, signal)
      } finally {
        planned.release()
      }
    },
  }
}

function checkVerifiable(
  { model, prompts }: GenerationRequest,
  steering: readonly SteeringPlan[],
  predictor: ModelRuntime | null,
): void {
  const isMeasurable = predictor && steering.every(({ requested }) => requested)
  if (isMeasurable && prompts.every((prompt) => 'messages' in prompt)) return
  const why = predictor
    ? 'only replies in a conversation can be measured'
    : `no served attribute model measures "${model}"`
  fail('BAD_REQUEST', `steering.verify: ${why}`, { param: 'steering.verify' })
}

async function* streamChoices(plan: Plan, outer?: AbortSignal): AsyncGenerator<GenerationEvent> {
  const abort = new AbortController()
  const signal = outer ? AbortSignal.any([outer, abort.signal]) : abort.signal
  const usages: TextUsage[] = []
  try {
    const streams = indices(plan).map((choice) => writeOne(plan, choice, signal))
    for await (const event of mergeStreams(streams)) {
      if (event.type === 'finish') usages[event.choice] = event.usage
      yield event
    }
    yield { type: 'usage', usage: totalUsage(usages, plan.request.n) }
  } finally {
    abort.abort()
  }
}

async function completeChoices(
  plan: Plan,
  outer?: AbortSignal,
): Promise<{ choices: Choice[]; usage: TextUsage }> {
  const abort = new AbortController()
  const signal = outer ? AbortSignal.any([outer, abort.signal]) : abort.signal
  try {
    const choices = await Promise.all(
      indices(plan).map((choice) => collectChoice(writeOne(plan, choice, signal))),
    )
    const usages = choices.map((choice) => choice.usage)
    return { choices, usage: totalUsage(usages, plan.request.n) }
  } finally {
    abort.abort() // one choice failed: the others need not go on
  }
}

function indices(plan: Plan): number[] {
  return Array.from({ length: plan.choices }, (_, index) => index)
}

type ChoiceEvent = Exclude<GenerationEvent, { type: 'usage' }>

const writeOne = (plan: Plan, choice: number, signal: AbortSignal): AsyncGenerator<ChoiceEvent> =>
  plan.request.verify ? writeBest(plan, choice, signal) : writeMeasured(plan, choice, signal)

const steeringOf = (plan: Plan, choice: number): SteeringPlan =>
  plan.steering[Math.floor(choice / plan.request.n)]!

/** What is known of the steering before the reply is measured; undefined where nothing steers it. */
function reportOf({ requested, rows, warnings }: SteeringPlan): SteeringReport | undefined {
  if (!requested) return undefined
  const ofCost = rows > 1 && { rows }
  const ofRisk = warnings.length > 0 && { warnings: [...warnings] }
  return { requested, achieved: null, ...ofCost, ...ofRisk }
}

/** One reply. Attempt k of choice c draws with seed + c + k × choices, so that no two are alike. */
async function* writeChoice(
  plan: Plan,
  choice: number,
  attempt: number,
  signal: AbortSignal,
): AsyncGenerator<ChoiceEvent> {
  const { model, request } = plan
  const { sampling } = model.info
  const { options } = request
  const seed =
    options.seed === undefined ? undefined : options.seed + choice + attempt * plan.choices
  const steering = steeringOf(plan, choice)
  const textRequest = {
    ...options,
    prompt: steering.prompt,
    guidance: steering.guidance,
    temperature: temperatureOf(plan),
    topP: options.topP ?? sampling.topP,
    topK: options.topK ?? sampling.topK,
    seed,
    owner: ownerOf(request),
  }
  const report = reportOf(steering)
  for await (const event of model.generate(textRequest, signal)) {
    if (event.type === 'done') {
      yield { ...event, type: 'finish', choice, ...(report && { steering: report }) }
    } else if (event.type === 'start') {
      const { requested, warnings } = report ?? {}
      yield { ...event, choice, ...(requested && { requested }), ...(warnings && { warnings }) }
    } else {
      yield { ...event, choice }
    }
  }
}

const temperatureOf = ({ model, request }: Plan): number =>
  request.options.temperature ?? model.info.sampling.temperature ?? 1

/** One reply, with what the attribute model says of it in the last event. */
async function* writeMeasured(
  plan: Plan,
  choice: number,
  signal: AbortSignal,
): AsyncGenerator<ChoiceEvent> {
  let text = ''
  for await (const event of writeChoice(plan, choice, 0, signal)) {
    if (event.type === 'start') text = event.reply?.text ?? ''
    else if (event.type === 'delta') text += event.text
    const { steering } = event.type === 'finish' ? event : {}
    const achieved = steering && (await measure(plan, choice, text, signal))
    if (!achieved) yield event
    else {
      const distance = distances(steering.requested, achieved).mean
      yield { ...event, steering: { ...steering, achieved, distance } } as ChoiceEvent
    }
  }
}

/** The best of several replies, as one delta once it is known. */
async function* writeBest(
  plan: Plan,
  choice: number,
  signal: AbortSignal,
): AsyncGenerator<ChoiceEvent> {
  const started = Promise.withResolvers<ChoiceEvent & { type: 'start' }>()
  const { rows, requested } = steeringOf(plan, choice)
  const slots = plan.model.info.kv?.slots ?? 1
  const { attempts, tolerance } = plan.request.verify!
  let begun = '' // of a reply that is taken up again
  const chosen = bestReply(
    {
      // Without chance all replies are the same one.
      attempts: temperatureOf(plan) === 0 ? 1 : attempts,
      tolerance,
      requested: requested!,
      atOnce: Math.max(1, Math.floor(slots / (rows * plan.choices))),
      write: (attempt, own, onTokens) =>
        collectChoice(writeChoice(plan, choice, attempt, own), (event) => {
          if (event.type === 'start') begun = event.reply?.text ?? ''
          if (event.type === 'start' && attempt === 0) started.resolve(event)
          if (event.type === 'delta') onTokens(event.tokens.length)
        }),
      score: (replies, own) => {
        const whole = replies.map(({ text }) => ({ text: begun + text }))
        return scoreReplies(plan, choice, whole, own)
      },
    },
    signal,
  )
  yield await Promise.race([started.promise, chosen.then(() => started.promise)])
  const { reply, achieved, distance, candidates, completionTokens } = await chosen
  const { text, tokens, logprobs, finishReason, usage } = reply
  yield { type: 'delta', choice, text, tokens, ...(logprobs && { logprobs }) }
  const compared = { achieved, distance, attempts: candidates.length, candidates }
  yield {
    type: 'finish',
    choice,
    finishReason,
    usage: { ...usage, completionTokens },
    steering: { ...reply.steering!, ...compared },
  }
}

/** Among whom the engine is shared fairly: API keys, else addresses. */
function ownerOf({ caller, address }: GenerationRequest): string {
  if (caller) return `key:${caller.id}`
  return address === undefined ? 'anonymous' : `address:${address}`
}

/** What the attribute model says of the reply; null when nobody asked or it could not say. */
async function measure(
  plan: Plan,
  choice: number,
  text: string,
  signal: AbortSignal,
): Promise<Record<string, number> | null> {
  const { request, predictor } = plan
  if (!predictor || !request.measure || !('messages' in steeringOf(plan, choice).prompt))
    return null
  try {
    const [achieved] = await scoreReplies(plan, choice, [{ text }], signal)
    return achieved ?? null
  } catch (error) {
    // A reply that cannot be measured is still a reply.
    if (!(error instanceof SteerError) || error.code === 'CANCELLED') throw error
    return null
  }
}

/** The values of replies to one prompt, which is a conversation. */
async function scoreReplies(
  plan: Plan,
  choice: number,
  replies: readonly { text: string }[],
  signal: AbortSignal,
): Promise<Record<string, number>[]> {
  const { prompt } = steeringOf(plan, choice)
  const messages = 'messages' in prompt ? prompt.messages : []
  const conversations = replies.map(({ text }) => [...messages, { role: 'assistant' as const, content: text }]) // prettier-ignore
  return plan.predictor!.predict(conversations, signal)
}

/** `watch` sees each event. */
async function collectChoice(
  events: AsyncIterable<GenerationEvent>,
  watch: (event: GenerationEvent) => void = () => {},
): Promise<Choice> {
  const choice: Partial<Choice> & Pick<Choice, 'text' | 'tokens'> = { text: '', tokens: [] }
  for await (const event of events) {
    watch(event)
    if (event.type === 'delta') {
      choice.text += event.text
      choice.tokens.push(...event.tokens)
      if (event.logprobs) (choice.logprobs ??= []).push(...event.logprobs)
    } else if (event.type === 'start') {
      const { promptText, promptLogprobs, promptTokenIds } = event
      Object.assign(choice, { promptText, promptLogprobs, promptTokenIds })
    } else if (event.type === 'finish') {
      const { finishReason, usage, steering } = event
      Object.assign(choice, { finishReason, usage, steering })
    }
  }
  if (!choice.finishReason) fail('INTERNAL', 'internal: a reply ended without its last event')
  return choice as Choice
}

/** A prompt counts once, however many replies it gets. */
function totalUsage(usages: readonly TextUsage[], n: number): TextUsage {
  const total = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 }
  usages.forEach((usage, choice) => {
    total.completionTokens += usage.completionTokens
    if (choice % n !== 0) return
    total.promptTokens += usage.promptTokens
    total.cachedTokens += usage.cachedTokens
  })
  return total
}
