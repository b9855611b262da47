/** One streamed chat over plain `node:http`: what came, how long it took, or that the server was full. */
import { request, type Agent, type IncomingMessage } from 'node:http'

export interface ChatStream {
  readonly status: number
  /** Of a 429. */
  readonly retryAfter: string | undefined
  readonly text: string
  readonly finishReason: string | null
  /** `data: [DONE]` came. */
  readonly isComplete: boolean
  readonly cachedTokens: number
  readonly firstTextMs: number
  readonly totalMs: number
}

export interface ChatOptions {
  readonly url: string
  readonly agent: Agent
  readonly body: object
  /** Close the socket once so many pieces of text came. */
  readonly leaveAfter?: number
}

export async function streamChat(options: ChatOptions): Promise<ChatStream> {
  const started = performance.now()
  const response = await post(options)
  const result = {
    text: '',
    finishReason: null as string | null,
    isComplete: false,
    cachedTokens: 0,
  }
  let firstTextMs = Number.NaN
  let pieces = 0
  for await (const frame of frames(response)) {
    if (frame === '[DONE]') result.isComplete = true
    else {
      const { choices = [], usage, error } = JSON.parse(frame)
      if (error) throw new Error(`an error in the stream: ${JSON.stringify(error)}`)
      result.cachedTokens = usage?.prompt_tokens_details.cached_tokens ?? 0
      for (const { delta, finish_reason: reason } of choices) {
        if (delta.content && Number.isNaN(firstTextMs)) firstTextMs = performance.now() - started
        result.text += delta.content ?? ''
        result.finishReason ??= reason
      }
    }
    pieces += 1
    if (pieces === options.leaveAfter) response.destroy()
  }
  const { statusCode: status = 0, headers } = response
  const totalMs = performance.now() - started
  return { ...result, status, retryAfter: headers['retry-after'], firstTextMs, totalMs }
}

function post({ url, agent, body }: ChatOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const call = request(`${url}/v1/chat/completions`, { method: 'POST', agent, headers }, resolve)
    call.on('error', reject)
    call.end(JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }))
  })
}

/** The data of each event; of a refusal nothing. A socket that this side closed just ends. */
async function* frames(response: IncomingMessage): AsyncGenerator<string> {
  let rest = ''
  try {
    for await (const piece of response.setEncoding('utf8')) {
      if (response.statusCode !== 200) continue
      const lines = `${rest}${piece as string}`.split('\n')
      rest = lines.pop()!
      for (const line of lines) if (line.startsWith('data: ')) yield line.slice(6)
    }
  } catch (error) {
    if (!response.destroyed) throw error
  }
}
