import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createChatTemplate, loadChatTemplate } from '../../src/text/chat-template.ts'
import { chatml } from './tiny-tokenizer.ts'

const hi = [{ role: 'user', content: 'hi' }]

t.test('ChatML renders with and without the generation prompt', async (t) => {
  const template = createChatTemplate(chatml)
  t.equal(template.render(hi), '<|im_start|>user\nhi<|im_end|>\n')
  t.equal(
    template.render([{ role: 'system', content: 'S' }, ...hi], { addGenerationPrompt: true }),
    '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n',
  )
})

t.test('a template is found where Hugging Face keeps it', async (t) => {
  const dir = t.testdir()
  t.equal(await loadChatTemplate(dir), null)
  const config = (value: unknown): Promise<void> =>
    writeFile(join(dir, 'tokenizer_config.json'), JSON.stringify(value))
  const shown = async (): Promise<string> => (await loadChatTemplate(dir))!.render(hi)

  await config({ bos_token: { content: '<s>' } })
  t.equal(await loadChatTemplate(dir), null)
  await config({ bos_token: { content: '<s>' }, chat_template: '{{ bos_token }}in config' })
  t.equal(await shown(), '<s>in config')
  await config({
    chat_template: [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: 'default' },
    ],
  })
  t.equal(await shown(), 'default')
  await writeFile(join(dir, 'chat_template.json'), '{"chat_template": "legacy"}')
  t.equal(await shown(), 'legacy')
  await writeFile(join(dir, 'chat_template.jinja'), '\nfile')
  t.equal(await shown(), '\nfile')
})

t.test('a malformed template names its file', async (t) => {
  const dir = t.testdir({ 'chat_template.jinja': '{% for m in %}' })
  await t.rejects(loadChatTemplate(dir), { code: 'BAD_TEMPLATE', detail: /chat_template\.jinja/ })
  const other = t.testdir({ 'tokenizer_config.json': '{"chat_template": 5}' })
  await t.rejects(loadChatTemplate(other), { code: 'BAD_TEMPLATE', detail: /found number/ })
})

t.test('what a template raises itself is about the messages, its bugs are not', async (t) => {
  const raising = createChatTemplate(
    "{% if messages[0]['role'] != 'user' %}{{ raise_exception('roles must alternate') }}{% endif %}x",
  )
  t.equal(raising.render(hi), 'x')
  t.throws(() => raising.render([{ role: 'system', content: '' }]), {
    code: 'BAD_REQUEST',
    param: 'messages',
    detail: /roles must alternate/,
  })
  for (const source of ['{{ nothing() }}', "{{ messages | nofilter }}{{ raise_exception('x') }}"]) {
    t.throws(() => createChatTemplate(source).render(hi), { code: 'BAD_TEMPLATE' })
  }
})

t.test('a template sees roles and contents only', async (t) => {
  const template = createChatTemplate('{{ messages | tojson }}')
  const messages = [{ role: 'assistant', content: 'x', truth: { humor: 1 } }]
  t.same(JSON.parse(template.render(messages)), [{ role: 'assistant', content: 'x' }])
})
