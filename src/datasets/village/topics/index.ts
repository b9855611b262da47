/** All topics, and where a conversation may go next. */
import { illnessTopics, recipeTopics, repairTopics } from './care.ts'
import { courtesyTopics } from './courtesy.ts'
import { feastTopics, questTopics } from './deeds.ts'
import { itemTopics } from './items.ts'
import { monsterTopics } from './monsters.ts'
import { peopleTopics } from './people.ts'
import { placeTopics } from './places.ts'
import { nameTopics, selfTopics, weatherTopics } from './small-talk.ts'
import { rumourTopics, taleTopics } from './stories.ts'
import type { Topic } from './topic.ts'

export const topics: readonly Topic[] = [
  ...placeTopics,
  ...itemTopics,
  ...peopleTopics,
  ...monsterTopics,
  ...illnessTopics,
  ...repairTopics,
  ...recipeTopics,
  ...taleTopics,
  ...rumourTopics,
  ...questTopics,
  ...feastTopics,
  ...selfTopics,
  ...nameTopics,
  ...weatherTopics,
  ...courtesyTopics,
]

export const openingTopics = topics.filter((topic) => topic.ask.length > 0)
