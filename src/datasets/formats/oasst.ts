/**
 * OpenAssistant's oasst1 and oasst2: message trees (one a row: `…trees.jsonl`) and tables of messages (one a row, those
 * of a tree together: `…messages.jsonl`, the hub's Parquet files). As NeMo-Aligner's preprocessing does it, every path
 * from the root to a leaf is a conversation, paths of one message are none, and a label of 0 … 1 counts 0 … 4 – here
 * with its fraction, which label lines round as NeMo does. `repliesOnly` makes one conversation of every rated reply
 * instead, so that no rating comes twice.
 */
import { z } from 'zod'
import type { ConversationRecord, Message } from '../../../schemas/records.ts'
import { fail } from '../../errors.ts'
import type { ValidRow } from '../files/file-row.ts'
import type { Assembled, RowAssembler, RowFormat } from './format.ts'

const attributeNames = ['quality', 'toxicity', 'humor', 'creativity', 'helpfulness'] as const
/** NeMo's likert_scale − 1. */
const topLevel = 4

const share = z.number().min(0).max(1)
const Labels = z.union([
  z.object({ name: z.array(z.string()), value: z.array(share) }),
  z.record(z.string(), z.object({ value: share }).nullable()),
])
const Node = z.object({
  message_id: z.string(),
  text: z.string(),
  role: z.enum(['prompter', 'assistant']),
  lang: z.string().nullish(),
  labels: Labels.nullish(),
})
type Node = z.infer<typeof Node>

interface Tree {
  node: Node
  replies: Tree[]
}

/** Of the trees in a table of messages; the real ones have a few hundred, and a depth of about ten. */
const maxTreeMessages = 10_000
const maxTreeDepth = 100

const TreeNode: z.ZodType<Tree> = z.lazy(() =>
  Node.extend({ replies: z.array(TreeNode).nullish() }).transform(({ replies, ...node }): Tree => ({
    node,
    replies: replies ?? [],
  })),
)
const TreeRow = z.object({ message_tree_id: z.string(), prompt: TreeNode })
const MessageRow = Node.extend({ message_tree_id: z.string(), parent_id: z.string().nullish() })

export const oasstFormat = ({ repliesOnly }: { repliesOnly: boolean }): RowFormat => ({
  kind: 'conversations',
  createAssembler: () => createTreeAssembler(repliesOnly ? ratedReplies : paths),
})

type Walk = (root: Tree, treeId: string) => ConversationRecord[]

/** A tree that is still growing, with the rows that its messages came in. */
interface OpenTree {
  id: string
  root: Tree | null
  places: Map<string, { tree: Tree; depth: number }>
}

function createTreeAssembler(walk: Walk): RowAssembler {
  let open: OpenTree | null = null
  const closed = new Set<string>()

  const close = (): ConversationRecord[] => {
    const tree = open
    open = null
    if (!tree) return []
    closed.add(tree.id)
    return tree.root ? walk(tree.root, tree.id) : []
  }

  const addMessage = (row: ValidRow): Assembled => {
    const { message_tree_id: id, parent_id: parent, ...node } = MessageRow.parse(row.value)
    if (closed.has(id)) {
      fail('BAD_RECORD', `the messages of tree ${id} do not stand together; sort the rows by tree`)
    }
    const records = open && open.id !== id ? close() : []
    const tree: OpenTree = (open ??= { id, root: null, places: new Map() })
    const problem = place(tree, node, parent ?? null)
    return problem === null ? { records } : { records, misfits: [{ row, problem }] }
  }

  return {
    add(row) {
      const value = row.value as { prompt?: unknown }
      if (typeof value.prompt !== 'object') return addMessage(row)
      const { message_tree_id: id, prompt } = TreeRow.parse(value)
      return { records: walk(prompt, id) }
    },
    end: () => ({ records: close() }),
  }
}

/** Hangs a message into its tree; what is wrong where it cannot. */
function place(tree: OpenTree, node: Node, parent: string | null): string | null {
  const leaf: Tree = { node, replies: [] }
  const above = parent === null ? null : tree.places.get(parent)
  if (tree.places.has(node.message_id)) return `message ${node.message_id} comes twice`
  if (tree.places.size >= maxTreeMessages) return `a tree has at most ${maxTreeMessages} messages`
  if (above === undefined) return `its parent ${parent} does not stand before it in the tree`
  if (above === null && tree.root) return `tree ${tree.id} has a second root`
  const depth = (above?.depth ?? 0) + 1
  if (depth > maxTreeDepth) return `a tree is at most ${maxTreeDepth} messages deep`
  if (above) above.tree.replies.push(leaf)
  else tree.root = leaf
  tree.places.set(node.message_id, { tree: leaf, depth })
  return null
}

/** Every way from the root to a leaf, of two messages at least. */
const paths: Walk = (root, treeId) => {
  const found: ConversationRecord[] = []
  visit(root, [], (path, isLeaf) => {
    if (isLeaf && path.length > 1) {
      const leaf = path.at(-1)!
      found.push({
        id: leaf.message_id,
        messages: path.map((node) => toMessage(node, true)),
        meta: metaOf(leaf, treeId),
      })
    }
  })
  return found
}

/** Every rated reply once, with what came before it. */
const ratedReplies: Walk = (root, treeId) => {
  const found: ConversationRecord[] = []
  visit(root, [], (path) => {
    const reply = path.at(-1)!
    const last = toMessage(reply, true)
    if (!last.attributes || path.length < 2) return
    found.push({
      id: reply.message_id,
      messages: [...path.slice(0, -1).map((node) => toMessage(node, false)), last],
      meta: metaOf(reply, treeId),
    })
  })
  return found
}

function visit(tree: Tree, above: Node[], seen: (path: Node[], isLeaf: boolean) => void): void {
  const path = [...above, tree.node]
  seen(path, tree.replies.length === 0)
  for (const reply of tree.replies) visit(reply, path, seen)
}

const metaOf = ({ lang }: Node, treeId: string) => ({ tree: treeId, ...(lang && { lang }) })

function toMessage({ role, text, labels }: Node, isRated: boolean): Message {
  if (role === 'prompter') return { role: 'user', content: text }
  const attributes = isRated ? attributesOf(labels) : {}
  const hasSome = Object.keys(attributes).length > 0
  return { role: 'assistant', content: text, ...(hasSome && { attributes }) }
}

function attributesOf(labels: Node['labels']): Record<string, number> {
  const valueOf = (name: string): number | undefined => {
    if (!labels) return undefined
    if (Array.isArray(labels.name)) return (labels.value as number[])[labels.name.indexOf(name)]
    return (labels as Record<string, { value: number } | null>)[name]?.value
  }
  return Object.fromEntries(
    attributeNames.flatMap((name) => {
      const value = valueOf(name)
      return value === undefined ? [] : [[name, value * topLevel]]
    }),
  )
}
