/** The row formats that an upload may have, as a person would choose them. */
export const formats = [
  { value: 'records', label: 'Conversations (steerlm records)' },
  { value: 'chat', label: 'Chats without ratings: {messages} or {prompt, response}' },
  { value: 'helpsteer', label: 'HelpSteer / HelpSteer2' },
  { value: 'nemo', label: 'NeMo-Aligner' },
  { value: 'tokens', label: 'Token ids' },
]

/** What a file name suggests as the name of the set. */
export function nameFromFile(fileName) {
  return fileName
    .replace(/\.gz$/i, '')
    .replace(/\.[a-z0-9]{1,8}$/i, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100)
}
