import { expect, test } from 'vitest'
import { type Bmc, createBmc } from '../src/bmc/bmc.ts'
import { commit } from '../src/bmc/commit.ts'
import { keep, restore } from '../src/bmc/keeping.ts'
import type { Job } from '../src/bmc/state.ts'
import type { Journal } from '../src/journal/journal.ts'
import { createMemoryJournal } from '../src/journal/memory-journal.ts'
import { type Message, message } from '../src/redfish/messages/message.ts'
import { ourMachine } from './support/machines.ts'

const make = (): Bmc => createBmc('1', ourMachine('rackmount'), new Map())

/** Messages that all differ. */
const told = (count: number, from = 0): Message[] =>
  Array.from({ length: count }, (_, index) =>
    message('Update.TransferringToComponent', 'image', `${from + index}`),
  )

const jobOf = (messages: readonly Message[]): Job => ({
  id: '1',
  name: 'Work',
  type: 'ServiceGenerated',
  state: 'Running',
  percent: 0,
  messages,
  createdAt: 0,
  startTime: 0,
  endTime: undefined,
  actor: undefined,
})

/** What a BMC is after a restart. */
function again(journal: Journal): Bmc {
  const bmc = make()
  restore(bmc, [...journal.read()])
  return bmc
}

function start(journal = createMemoryJournal(), bmc = make()) {
  let kept = 0
  keep(bmc, {
    ...journal,
    write: (record) => {
      const { value } = record as { readonly value: Message[] | Pick<Job, 'messages'> | undefined }
      kept += (Array.isArray(value) ? value : (value?.messages ?? [])).length
      journal.write(record)
    },
  })
  const tell = (messages: readonly Message[] | undefined): void =>
    commit(bmc, { jobs: [['1', messages && jobOf(messages)]] })
  return { bmc, journal, tell, kept: () => kept }
}

test.each([0, 1, 99, 100, 101, 250])('%i messages of a job are there after a restart', (count) => {
  const { journal, tell } = start()
  for (let at = 0; at <= count; at++) tell(told(at))
  expect(again(journal).state.jobs.get('1')?.messages).toEqual(told(count))
})

test('of many messages each is kept about as often as of few', () => {
  const costs = [500, 5_000].map((count) => {
    const { tell, kept } = start()
    const all = told(count)
    for (let at = 1; at <= count; at++) tell(all.slice(0, at))
    return kept() / count
  })
  expect(costs[1]).toBeLessThan((costs[0] ?? 0) * 1.1)
})

test('messages that give way to others are not there after a restart', () => {
  const { journal, tell } = start()
  tell(told(350))
  tell(told(120, 230))
  expect(again(journal).state.jobs.get('1')?.messages).toEqual(told(120, 230))
})

test('a job goes on after a restart with all that it told', () => {
  const { journal, tell } = start()
  tell(told(250))
  const second = start(journal, again(journal))
  const before = second.bmc.state.jobs.get('1')?.messages ?? []
  second.tell([...before, ...told(100, 250)])
  expect(again(journal).state.jobs.get('1')?.messages).toEqual(told(350))
})

test.each(['at once', 'after a restart'])('of a job that is removed %s nothing is left', (when) => {
  const { journal, tell } = start()
  tell(told(250))
  if (when === 'at once') tell(undefined)
  else start(journal, again(journal)).tell(undefined)
  expect([...journal.read()].map(({ table }) => table)).toEqual(['numbers'])
})
