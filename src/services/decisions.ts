/**
 * Questions about an input, answered with probabilities. A language model answers by how likely it is to reply with each
 * option; a score question with the name of a declared attribute is answered by the attribute model.
 */
import type { AttributeSpec } from '../../schemas/attributes.ts'
import type {
  Decision,
  DecisionAnswer,
  DecisionMessage,
  DecisionQuestion,
  DecisionRequest,
} from '../../schemas/decisions.ts'
import type { Message } from '../../schemas/records.ts'
import { fail } from '../errors.ts'
import { levelProbabilities } from '../labels/calibration.ts'
import type { Models } from './models.ts'
import type { ModelRuntime } from './runtime-types.ts'

export interface DecisionOptions {
  /** Among whom the engine is shared fairly. */
  owner?: string
  signal?: AbortSignal
}

type Spent = { tokens: number; cached: number }
type Question<Type extends DecisionQuestion['type']> = Extract<DecisionQuestion, { type: Type }>
type Likelihoods = (instructions: string, options: string[]) => Promise<number[]>

/**
 * Fails MODEL_NOT_FOUND, MODEL_NOT_GENERATIVE for a question that an attribute model cannot answer, BAD_REQUEST for one
 * that is not well put, CONTEXT_TOO_LONG.
 */
export async function decide(
  models: Models,
  { model: name, input, questions }: DecisionRequest,
  { owner, signal }: DecisionOptions = {},
): Promise<Decision> {
  const model = models.get(name)
  const judge = model.info.kind === 'attribute-model' ? model : models.predictorFor(model)
  const declared = (question: DecisionQuestion): AttributeSpec | undefined =>
    question.type === 'score'
      ? judge?.info.attributes.find((spec) => spec.name === question.name)
      : undefined
  questions.forEach((question, i) => checkQuestion(question, declared(question), i))
  const isLanguage = (question: DecisionQuestion): boolean => declared(question) === undefined
  if (questions.some(isLanguage)) models.getGenerative(name)

  const spent: Spent = { tokens: 0, cached: 0 }
  const ask: Likelihoods = async (instructions, options) => {
    const messages = withQuestion(toConversation(input, 'user'), instructions)
    const prompt = { messages, attributes: {}, onlyGiven: true }
    const rated = await model.likelihoods(prompt, options, { owner }, signal)
    spent.tokens += rated.promptTokens
    spent.cached += rated.cachedTokens
    return normalised(rated.logprobs)
  }
  const rated = questions.every(isLanguage) ? {} : await rateReply(judge!, input, spent, signal)
  const answers: DecisionAnswer[] = []
  for (const question of questions) {
    const spec = declared(question)
    answers.push(
      spec
        ? answerAttribute(question as Question<'score'>, spec, rated[spec.name]!, judge!)
        : await answer(question, ask),
    )
  }
  return {
    model: name,
    answers,
    usage: {
      input_tokens: spent.tokens,
      input_tokens_details: { cached_tokens: spent.cached, cache_write_tokens: 0 },
      output_tokens: 0,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: spent.tokens,
    },
  }
}

function checkQuestion(
  question: DecisionQuestion,
  spec: AttributeSpec | undefined,
  index: number,
): void {
  if (question.type === 'predicate') return
  const at = `questions.${index}`
  if (question.type === 'choice') {
    const texts = new Set(question.choices.map(({ value }) => String(value)))
    if (texts.size === question.choices.length) return
    fail('BAD_REQUEST', `${at}.choices: expected different values`, { param: `${at}.choices` })
  }
  const param = `${at}.levels`
  if (!question.levels) {
    if (spec) return
    fail('BAD_REQUEST', `${param}: expected 2 to 10 levels; the model declares no such attribute`, { param }) // prettier-ignore
  }
  if (spec && question.levels.length !== spec.levels.length) {
    fail('BAD_REQUEST', `${param}: expected the ${spec.levels.length} of "${spec.name}", got ${question.levels.length}`, { param }) // prettier-ignore
  }
  if (new Set(question.levels.map(({ label }) => label)).size !== question.levels.length) {
    fail('BAD_REQUEST', `${param}: expected different labels`, { param })
  }
}

async function rateReply(
  judge: ModelRuntime,
  input: DecisionRequest['input'],
  spent: Spent,
  signal?: AbortSignal,
): Promise<Record<string, number>> {
  const messages = toConversation(input, 'assistant')
  if (messages.at(-1)!.role !== 'assistant') {
    fail('BAD_REQUEST', 'input: expected the reply to be rated, an assistant message, at the end', {
      param: 'input',
    })
  }
  const [values] = await judge.predict([messages], signal)
  spent.tokens += await judge.countTokens({ messages, attributes: {}, onlyGiven: true })
  return values!
}

function answerAttribute(
  { name, levels }: Question<'score'>,
  spec: AttributeSpec,
  value: number,
  judge: ModelRuntime,
): DecisionAnswer {
  const labels = levels?.map(({ label }) => label) ?? spec.levels
  return scoreAnswer(name, labels, levelProbabilities(spec, value, judge.info.calibration))
}

async function answer(question: DecisionQuestion, ask: Likelihoods): Promise<DecisionAnswer> {
  const { name = null } = question
  const instructions = toText(question.instructions)
  if (question.type === 'predicate') {
    const options = ['Yes', 'yes', 'No', 'no']
    const [Yes, yes] = await ask(`${instructions}\nAnswer yes or no.`, options)
    return { type: 'predicate', name, probability: Yes! + yes! }
  }
  const options =
    question.type === 'choice'
      ? question.choices.map(({ value, description }) => ({ text: String(value), description }))
      : question.levels!.map(({ label, description }) => ({ text: label, description }))
  const list = options.map(({ text, description }) => `- ${text}${description ? `: ${description}` : ''}`) // prettier-ignore
  const order = question.type === 'score' ? 'one of these levels, from lowest to highest' : 'one of'
  const asked = [instructions, `Answer with ${order}:`, ...list].join('\n')
  const texts = options.map(({ text }) => text)
  const probabilities = await ask(asked, texts)
  if (question.type === 'score') return scoreAnswer(name, texts, probabilities)
  const values = question.choices.map(({ value }) => value)
  const best = likeliest(probabilities)
  return {
    type: 'choice',
    name,
    choice: values[best]!,
    confidence: probabilities[best]!,
    probabilities: values.map((value, i) => ({ value, probability: probabilities[i]! })),
  }
}

function scoreAnswer(
  name: string | null | undefined,
  labels: readonly string[],
  probabilities: readonly number[],
): DecisionAnswer {
  return {
    type: 'score',
    name: name ?? null,
    score: probabilities.reduce((sum, p, level) => sum + p * level, 0),
    confidence: probabilities[likeliest(probabilities)]!,
    probabilities: labels.map((label, value) => ({
      label,
      value,
      probability: probabilities[value]!,
    })),
  }
}

const likeliest = (probabilities: readonly number[]): number =>
  probabilities.indexOf(Math.max(...probabilities))

/** Among the options alone. */
function normalised(logprobs: readonly number[]): number[] {
  const most = Math.max(...logprobs)
  const weights = logprobs.map((logprob) => Math.exp(logprob - most))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => weight / sum)
}

/** The question in the last turn: many templates refuse two turns of the user after one another. */
function withQuestion(messages: readonly Message[], question: string): Message[] {
  const last = messages.at(-1)
  if (last?.role !== 'user') return [...messages, { role: 'user', content: question }]
  return [...messages.slice(0, -1), { role: 'user', content: `${last.content}\n\n${question}` }]
}

/** `role`: what a text alone is. */
function toConversation(
  input: string | readonly DecisionMessage[],
  role: 'user' | 'assistant',
): Message[] {
  if (typeof input === 'string') return [{ role, content: input }]
  return input.map((message) => ({
    role: message.role === 'developer' ? 'system' : message.role,
    content: toText(message.content),
  }))
}

const toText = (content: DecisionMessage['content']): string =>
  typeof content === 'string' ? content : content.map(({ text }) => text).join('')
