import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import type { Journal, JournalRecord } from '../../src/journal/journal.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic, startEmulator, type TestOptions, type TestRequest } from '../support/emulator.ts'
import { RECEIVER, recordingSink, subscribe } from '../support/events.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, multipartBody, push, pushParts } from '../support/multipart.ts'
import { head, rawClient } from '../support/wire.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1' })
const LOGIN = { UserName: 'admin', Password: 'redflash' }

/** An emulator whose disk the test holds: what it has kept, whether it takes more, whether it has room. */
async function startKept(options: TestOptions = {}) {
  const disk = { hasRoom: true, isBroken: false }
  const kept: JournalRecord[] = []
  let written: JournalRecord[] = []
  const journal = (memory: Journal): Journal => ({
    ...memory,
    isOpen: true,
    write: (record) => {
      written.push(record)
      memory.write(record)
    },
    flush: () => {
      if (disk.isBroken) throw new Error('the disk is broken')
      kept.push(...written)
      written = []
      memory.flush()
    },
    hasRoom: () => disk.hasRoom,
  })
  const emulator = await startEmulator({ ...options, journal })
  const tables = () => new Set(kept.map(({ table }) => table))
  return { ...emulator, disk, tables, kept }
}

describe('no answer leaves before what it tells of is kept:', () => {
  test.each<[string, string, TestRequest, string]>([
    [
      'a subscription',
      uris.eventDestinations,
      { method: 'POST', body: { Destination: RECEIVER, Protocol: 'Redfish' } },
      'subscriptions',
    ],
    ['a setting', uris.sessionService, { method: 'PATCH', body: { SessionTimeout: 60 } }, 'settings'],
    [
      'an account',
      uris.accounts,
      { method: 'POST', body: { UserName: 'u', Password: 'password1', RoleId: 'ReadOnly' } },
      'accounts',
    ],
    ['a login', uris.sessions, { method: 'POST', body: LOGIN, user: null }, 'auditLog'],
    ['an account that is gone', uris.account('reader'), { method: 'DELETE' }, 'accounts'],
  ])('%s', async (_what, url, request, table) => {
    const { send, tables } = await startKept()
    expect(tables()).toEqual(new Set())
    expect((await send(url, request)).status).toBeLessThan(300)
    expect(tables()).toContain(table)
  })

  test('an image that was taken', async () => {
    const emulator = await startKept()
    expect((await push(emulator, image)).status).toBe(202)
    expect([...emulator.tables()]).toEqual(expect.arrayContaining(['tasks', 'operations']))
  })

  test('and none leaves where it cannot be kept', async () => {
    const { app, disk } = await startKept()
    const url = await app.fastify.listen({ host: '127.0.0.1', port: 0 })
    const patch = () =>
      fetch(url + uris.sessionService, {
        method: 'PATCH',
        headers: { authorization: basic('admin'), 'content-type': 'application/json' },
        body: '{"SessionTimeout":60}',
      })
    expect((await patch()).status).toBe(200)
    disk.isBroken = true
    await expect(patch()).rejects.toThrow('fetch failed')
  })
})

describe('no event leaves before what it tells of is kept:', () => {
  test('to a receiver, and none where it cannot be kept', async () => {
    const seen: boolean[] = []
    const recorder = recordingSink(() => {
      seen.push(emulator.tables().has('tasks'))
      return true
    })
    const emulator = await startKept({ eventSink: recorder.sink })
    const { clock, disk, bmc } = emulator
    await subscribe(emulator)
    await push(emulator, image)
    await clock.advance(60_000)
    expect(seen.length).toBeGreaterThan(1)
    expect(seen).not.toContain(false)
    const before = recorder.deliveries.length
    disk.isBroken = true
    commit(bmc, {
      components: [...bmc.machine.components].map(([id, { factory }]) => [
        id,
        { ...factory, health: 'Critical' },
      ]),
    })
    await clock.advance(60_000)
    expect(recorder.deliveries).toHaveLength(before)
  })

  test('to a stream', async () => {
    const { app, send, tables, disk } = await startKept()
    const url = await app.fastify.listen({ host: '127.0.0.1', port: 0 })
    const { socket } = rawClient(Number(new URL(url).port))
    let text = ''
    let wasKept: boolean | undefined
    socket.on('data', (chunk) => {
      text += String(chunk)
      if (text.includes('SessionService')) wasKept ??= tables().has('settings')
    })
    socket.write(head('GET', uris.eventStream))
    await expect.poll(() => text).toContain(':\n\n')
    const change = (SessionTimeout: number) =>
      send(uris.sessionService, { method: 'PATCH', body: { SessionTimeout } })
    await change(60)
    await expect.poll(() => wasKept).toBe(true)
    text = ''
    disk.isBroken = true
    const cut = once(socket, 'end')
    change(61).catch(() => {}) // nobody answers it
    await cut
    expect(text).toBe('')
  })
})

describe('a disk without room', () => {
  test.each<[string, string, TestRequest]>([
    ['a login', uris.sessions, { method: 'POST', body: LOGIN, user: null }],
    ['a change', uris.sessionService, { method: 'PATCH', body: { SessionTimeout: 60 } }],
    ['a replacement', uris.sessionService, { method: 'PUT', body: {} }],
    ['a removal', uris.account('reader'), { method: 'DELETE' }],
    ['an action', uris.action(uris.updateService, 'UpdateService.StartUpdate'), { method: 'POST', body: {} }],
    ['a push', uris.multipartPush, { method: 'POST', ...multipartBody(pushParts(image)) }],
  ])('refuses %s, and nothing has changed', async (_what, url, request) => {
    const { send, disk, bmc, spool } = await startKept()
    disk.hasRoom = false
    // Who tried it is remembered.
    const now = () => structuredClone({ ...bmc.state, auditLog: undefined, version: 0 })
    const before = now()
    const answer = await send(url, request)
    expect([answer.status, messageKeys(answer.json)]).toEqual([507, ['InsufficientStorage']])
    expect(now()).toEqual(before)
    expect(spool.entries.size).toBe(0)
  })

  test('answers whoever only reads', async () => {
    const { send, disk } = await startKept()
    disk.hasRoom = false
    for (const method of ['GET', 'HEAD'] as const)
      expect((await send(uris.updateService, { method })).status).toBe(200)
    expect((await send(uris.updateService, { method: 'OPTIONS' })).status).toBeLessThan(500)
  })

  test('lets go on what is under way, and takes new work when there is room again', async () => {
    const emulator = await startKept()
    const { disk, clock, get } = emulator
    await push(emulator, image)
    disk.hasRoom = false
    await clock.advance(120_000)
    expect(await get(uris.task('1'))).toMatchObject({ TaskState: 'Completed' })
    disk.hasRoom = true
    expect((await push(emulator, await bundleOf({ 'NIC-1': '22.43.1' }))).status).toBe(202)
  })
})
