/**
 * Chat templates of model folders, through `@huggingface/jinja` (its only import). Looks where Hugging Face
 * does: `chat_template.jinja`, `chat_template.json`, then `chat_template` in `tokenizer_config.json`.
 */
import { Template } from '@huggingface/jinja'
import { join } from 'node:path'
import { fail } from '../errors.ts'
import { isObject, kindOf, readJsonIfPresent, readTextIfPresent } from './json-file.ts'
import type { JsonObject } from './json-file.ts'
import { tokenText } from './tokenizer.ts'

/** What a template sees of a message. */
export interface TemplateMessage {
  role: string
  content: string
}

export interface ChatTemplate {
  /**
   * The conversation as the model reads it; with `addGenerationPrompt` it ends where the reply begins.
   * Fails BAD_REQUEST (param `messages`) when the template itself raises, BAD_TEMPLATE on other errors.
   */
  render(messages: readonly TemplateMessage[], options?: { addGenerationPrompt?: boolean }): string
}

/** Far above any template in use (the largest have some 10 kB). */
const maxTemplateCharacters = 1 << 20

/** The template of a model folder, or null when it has none. Fails BAD_TEMPLATE. */
export async function loadChatTemplate(dir: string): Promise<ChatTemplate | null> {
  const config = (await readJsonIfPresent(dir, 'tokenizer_config.json', 'BAD_TOKENIZER')) ?? {}
  const variables = specialTokenTexts(config)
  const source = await readTextIfPresent(dir, 'chat_template.jinja', 'BAD_TEMPLATE')
  if (source !== null) {
    return createChatTemplate(source, { where: join(dir, 'chat_template.jinja'), variables })
  }
  const legacy = await readJsonIfPresent(dir, 'chat_template.json', 'BAD_TEMPLATE')
  const [name, value] = legacy
    ? ['chat_template.json', legacy.chat_template]
    : ['tokenizer_config.json', config.chat_template]
  if (value === undefined || value === null) return null
  const where = join(dir, name)
  return createChatTemplate(templateText(value, where), { where, variables })
}

/** A template from its source. `variables` are seen by every rendering (`bos_token`, …). */
export function createChatTemplate(
  source: string,
  options: { where?: string; variables?: Record<string, unknown> } = {},
): ChatTemplate {
  const { where = 'chat template', variables = {} } = options
  if (source.length > maxTemplateCharacters) {
    fail(
      'BAD_TEMPLATE',
      `${where}: ${source.length} characters; the limit is ${maxTemplateCharacters}`,
    )
  }
  const template = parse(source, where)
  return {
    render: (messages, { addGenerationPrompt = false } = {}) => {
      try {
        return template.render({
          ...variables,
          steerlm_raise: raise,
          // Only what a template may see: no ratings or attributes.
          messages: messages.map(({ role, content }) => ({ role, content })),
          add_generation_prompt: addGenerationPrompt,
        })
      } catch (error) {
        return report(error, where)
      }
    },
  }
}

function parse(source: string, where: string): Template {
  try {
    const template = new Template(source)
    template.parsed.body.unshift(...new Template(ownRaise).parsed.body)
    return template
  } catch (error) {
    return fail('BAD_TEMPLATE', `${where}: ${messageOf(error)}`, { cause: error })
  }
}

/** What `raise_exception` throws, to tell the template's own refusal from an error in it. */
class TemplateRefusal extends Error {}

function raise(message: unknown): never {
  throw new TemplateRefusal(String(message))
}

/** The library allows no other `raise_exception` among the variables; an assignment inside does it. */
const ownRaise = '{% set raise_exception = steerlm_raise %}'

function report(error: unknown, where: string): never {
  if (error instanceof TemplateRefusal) {
    fail('BAD_REQUEST', `the model's chat template refuses these messages: ${error.message}`, {
      cause: error,
      param: 'messages',
    })
  }
  fail('BAD_TEMPLATE', `${where}: ${messageOf(error)}`, { cause: error })
}

/** A template text, or a list of named ones of which `default` (else the first) counts. */
function templateText(value: unknown, where: string): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) {
    const named = value.filter(isObject)
    const chosen = named.find((entry) => entry.name === 'default') ?? named[0]
    if (typeof chosen?.template === 'string') return chosen.template
  }
  return fail('BAD_TEMPLATE', `${where}: chat_template: expected a text, found ${kindOf(value)}`)
}

/** `bos_token`, `eos_token`, … of `tokenizer_config.json` as texts. */
function specialTokenTexts(config: JsonObject): Record<string, string> {
  const pairs = Object.entries(config)
    .filter(([name]) => name.endsWith('_token'))
    .map(([name, value]) => [name, tokenText(value)] as const)
  return Object.fromEntries(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
