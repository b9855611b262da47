/** Requests for work, and questions about feasts. */
import { feasts, quests } from '../world/deeds.ts'
import { topicsOf } from './topic.ts'

const questFillers = [
  'the notice has hung at the town hall for a week[. The rain washed half of it away|]',
  'two others tried it and came back tired[. One of them lost a boot|]',
  'good helpers are hard to find these days[. Most want the coins and not the work|]',
  'the mayor pays from the common chest[. Everyone put something in|]',
  'the village was safer in the old days[. We never locked a door|]',
  'half the young men are away at war[. The rest are too old or too small|]',
  'the whole street would sleep better[. It has been a long month|]',
  'it is honest work for honest coins[. There is not much of that around|]',
]

export const questTopics = topicsOf(
  'quest',
  { entities: quests, fillers: questFillers },
  {
    job: {
      weight: 2.5,
      ask: [
        'do you have work for me?',
        'is there any [work|job] [here|for a traveller|today]?',
        'I need [coins|work]. Is there a job?',
        'can I help you with something?',
        'I am looking for [work|an adventure|a quest].',
        'does anyone here need a [strong hand|brave soul|helper]?',
      ],
      followUp: ['do you have other work?', 'is there another job?'],
      about: 'work for strangers',
      facts: [
        'someone must {task}',
        'we need someone to {task}',
        'you could {task}',
        'the village needs a helper to {task}',
        'there is one job, you could {task}',
      ],
      details: ['because {reason}', 'since {reason}'],
      steps: [
        'come back to me for {reward}.',
        'start at dawn.',
        'take a torch and a stick.',
        'I can pay you {reward}.',
        'tell the guards before you leave.',
        'bring proof and get {reward}.',
        'go to the town hall and sign.',
      ],
    },
    reward: {
      ask: [],
      followUp: [
        'what is the reward?',
        'how much do you pay?',
        'what do I get for it?',
        'is it worth my time?',
      ],
      about: 'the reward',
      facts: [
        'the reward is {reward}',
        'it pays {reward}',
        'you get {reward} for it',
        '{reward} is the pay',
      ],
      details: [
        'provided you finish it',
        'including a hot meal',
        'as long as you bring proof',
        'unless you come back too late',
      ],
      steps: [
        'come back here when it is done.',
        'I can pay half now.',
        'ask for your coins at the town hall.',
        'bring me proof.',
        'start before the week ends.',
        'let me write it down.',
      ],
    },
    danger: {
      ask: [],
      followUp: [
        'is it dangerous?',
        'what must I watch out for?',
        'can I do it alone?',
        'where is it?',
      ],
      about: 'the danger of the job',
      facts: [
        'the danger is {risk}, and it is {where}',
        'watch out for {risk} {where}',
        'the place is {where} and the risk is {risk}',
        'the risk is {risk} {where}',
      ],
      details: [
        'unless you are quiet',
        'as long as you are alone',
        'except in daylight',
        'because nobody keeps watch there',
      ],
      steps: [
        'take a shield with you.',
        'go there in daylight.',
        'I can lend you a helmet.',
        'bring someone you trust.',
        'leave if you see {risk}.',
        'let me give you some bandages.',
      ],
    },
  },
)

const feastFillers = [
  'last year the music went on until dawn[. My feet hurt for a week|]',
  'the whole village looks forward to {np}[. The children count the days|]',
  'the baker starts three days before[. The whole square smells of it|]',
  'people come from all the villages around[. Some sleep in their carts|]',
  'the mayor gives a long speech each time[. Nobody remembers what he said|]',
  'the streets are swept the day before[. Even the dogs look clean|]',
  'my [sister|brother|neighbour] plays the drum there[. You hear it across the lake|]',
  'there is always too little room at the inn[. People sleep on the tables|]',
]

export const feastTopics = topicsOf(
  'feast',
  { entities: feasts, fillers: feastFillers },
  {
    day: {
      weight: 1.5,
      ask: [
        'when is {np}?',
        'what day is {np}?',
        'is {np} soon?',
        'I want to see {np}. When is it?',
      ],
      followUp: ['when is it?', 'and what day is that?'],
      about: 'the day of {np}',
      facts: ['{np} is {day}', '{np} takes place {day}', 'it is {day}', 'we hold {np} {day}'],
      details: ['because {reason}', 'since {reason}', 'unless it rains'],
      steps: [
        'come early for a good seat.',
        'bring your best clothes.',
        'I can keep you a seat.',
        'meet me {where}.',
        'ask for a room before the crowd comes.',
        'let me show you around that day.',
      ],
    },
    place: {
      ask: ['where is {np} held?', 'what happens at {np}?', 'what can I see at {np}?'],
      followUp: ['where is it held?', 'what happens there?', 'is there something to eat or win?'],
      about: '{np}',
      facts: [
        'people meet {where} for {what}',
        '{np} is held {where}, with {what}',
        'it is {where}, with {what}',
        'you will find {what} {where}',
      ],
      details: [
        'including free drinks for everyone',
        'unless it rains',
        'because there is room for everyone',
        'as long as the food lasts',
      ],
      steps: [
        'come hungry.',
        'bring a coin for the drummer.',
        'I can keep you a seat.',
        'meet me {where}.',
        'go there early.',
        'let me take you along.',
      ],
    },
  },
)
