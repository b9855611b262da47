/**
 * An engine process with the real scheduler over a model step without a model: every step takes 40 ms, and a count of
 * tokens tells how many steps have begun instead. For `test/http/disconnect.test.ts`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Scheduler } from '../../src/engine/scheduler.ts'
import { hostEngine } from '../../src/services/engine-host.ts'
import { createModelRuntime } from '../../src/services/text-runtime.ts'
import { FAKE_VOCAB, FakeModelStep } from '../engine/fake-model-step.ts'
import { fakeParts } from './fake-parts.ts'

const step = new FakeModelStep({ slots: 1, contextLength: 200, beforeStep: () => sleep(40) })
const scheduler = new Scheduler(step, { queueLimit: 1, settle: true })
const { parts } = fakeParts('')

hostEngine(
  {
    send: (message) => void process.send!(message, () => {}),
    onMessage: (listener) => void process.on('message', listener),
    onDisconnect: (listener) => void process.on('disconnect', listener),
    exit: (code) => process.exit(code),
  },
  async () => ({
    ...createModelRuntime({
      ...parts,
      tokenizer: { ...parts.tokenizer, decode: (ids) => 'x'.repeat(ids.length) },
      template: {
        ...parts.template!,
        promptTokens: (messages) =>
          [...Buffer.from(messages.at(-1)!.content)].map((byte) => byte % FAKE_VOCAB),
      },
      engine: {
        generate: (request, signal) => scheduler.submit(request, signal),
        dispose: () => scheduler.dispose(),
      },
    }),
    countTokens: async () => step.log.length,
  }),
)
