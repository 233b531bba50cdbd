import { describe, expect, onTestFinished, test } from 'vitest'
import { createRedfishAdapter } from '../../src/devices/redfish/redfish-adapter.ts'
import { bundleOf } from '../support/images.ts'
import { hurried, startPeer } from '../support/redfish-peer.ts'
import {
  inventory,
  ITEM,
  link,
  MONITOR,
  RESET,
  resetRequired,
  type Script,
  startDevice,
  successful,
  task,
  TASK,
  update,
  V1,
} from '../support/redfish-script.ts'
import type { Reply } from '../support/scripted-service.ts'

const TASKS = `${V1}/TaskService/Tasks`
/** What a device with these tasks says of them. */
const withTasks = (...paths: readonly string[]): Script => ({
  [`GET ${V1}/TaskService`]: { body: { Tasks: link(TASKS) } },
  [`GET ${TASKS}`]: { body: { Members: paths.map(link) } },
})
const running = task('Running', update('TransferringToComponent'))
const failed = (key: string) => task('Exception', update(key))

interface Told {
  readonly at?: 'transfer' | 'verify' | 'install' | 'activate'
  readonly kept?: object
  readonly script?: Script
  readonly found: string
}

describe('a device whose update was under way when the console ended', () => {
  const before = { tasks: [`${TASKS}/7`] }
  const old = { [`GET ${ITEM}`]: inventory('1') }
  const updating = { [`GET ${ITEM}`]: inventory('1', { Status: { State: 'Updating' } }) }
  const accepted = { isAccepted: true, path: MONITOR }

  test.each<[string, Told]>([
    ['was sent nothing', { found: 'nothing' }],
    [
      'has no task that is new',
      {
        kept: before,
        script: { ...withTasks(`${TASKS}/7`), ...old, [`GET ${TASKS}/7`]: running },
        found: 'nothing',
      },
    ],
    ['has no tasks', { kept: { tasks: [] }, script: old, found: 'nothing' }],
    ['is at it, by its inventory', { kept: { tasks: [] }, script: updating, found: 'activate' }],
    ['runs it', { kept: { tasks: [] }, found: 'activate' }],
    [
      'has a task of it',
      {
        kept: before,
        script: { ...withTasks(`${TASKS}/7`, TASK), [`GET ${TASK}`]: running },
        found: 'verify',
      },
    ],
    [
      'has a task of something else',
      {
        kept: before,
        script: {
          ...withTasks(TASK),
          ...old,
          [`GET ${TASK}`]: { body: { ...(running.body as object), Payload: { TargetUri: '/elsewhere' } } },
        },
        found: 'nothing',
      },
    ],
    [
      'has found that the image was cut',
      {
        kept: before,
        script: { ...withTasks(TASK), ...old, [`GET ${TASK}`]: failed('VerificationFailed') },
        found: 'nothing',
      },
    ],
    [
      'has written it, badly',
      {
        kept: before,
        script: { ...withTasks(TASK), ...old, [`GET ${TASK}`]: failed('ApplyFailed') },
        found: 'verify',
      },
    ],
    ['tells where', { kept: accepted, script: { [`GET ${MONITOR}`]: running }, found: 'verify' }],
    [
      'tells where',
      { at: 'install', kept: accepted, script: { [`GET ${MONITOR}`]: running }, found: 'install' },
    ],
    [
      'has refused it',
      { kept: accepted, script: { [`GET ${MONITOR}`]: failed('VerificationFailed') }, found: 'verify' },
    ],
    [
      'could not fetch it any more',
      {
        kept: { ...accepted, isFetched: true },
        script: {
          [`GET ${MONITOR}`]: [task('Running'), failed('TransferFailed')],
        },
        found: 'nothing',
      },
    ],
    [
      'knows nothing of it any more',
      { kept: accepted, script: { [`GET ${MONITOR}`]: { status: 404 } }, found: 'activate' },
    ],
    ['never told where', { at: 'verify', kept: { isAccepted: true }, found: 'activate' }],
    ['activates it', { at: 'activate', kept: accepted, found: 'activate' }],
  ])('%s: %o', async (_what, { at = 'transfer', kept, script = {}, found }) => {
    const { adapter, job, pushed } = await startDevice(script)
    if (kept) job.memo.write(JSON.stringify(kept))
    expect(await adapter.inquire?.(job, at)).toEqual({ ok: true, value: found })
    expect(pushed()).toEqual([])
  })

  test('is asked for no reset that it was asked for before', async () => {
    const asked = task('Pending', update('AwaitToActivate'), resetRequired)
    const { adapter, job, requests } = await startDevice({
      [`GET ${MONITOR}`]: [asked, asked, task('Completed', successful)],
    })
    job.memo.write(JSON.stringify({ ...accepted, resets: [`${RESET} ForceRestart`] }))
    expect(await adapter.activate(job)).toEqual({ ok: true, value: { version: '2' } })
    expect(requests.map(({ line }) => line)).not.toContain(`POST ${RESET}`)
  })
})

describe('a device whose update is not wanted any more', () => {
  const accepted = { isAccepted: true, path: TASK }
  const cancel = `DELETE ${TASK}`
  const at = (...replies: readonly Reply[]): Script => ({ [`GET ${TASK}`]: replies })
  const installing = task('Running', update('InstallingOnComponent'))

  test.each<[string, object, Script, string]>([
    ['lets go of it', accepted, { ...at(running, task('Cancelled')), [cancel]: { status: 204 } }, 'nothing'],
    [
      'lets go of it after a while',
      accepted,
      { ...at(running, running, task('Cancelled')), [cancel]: { status: 202 } },
      'nothing',
    ],
    [
      'forgets it when it is told to',
      accepted,
      { ...at(running, { status: 404 }), [cancel]: { status: 204 } },
      'nothing',
    ],
    ['has let go of it already', accepted, at(task('Cancelled')), 'nothing'],
    ['has refused it meanwhile', accepted, at(failed('VerificationFailed')), 'nothing'],
    ['lets nobody cancel it', accepted, { ...at(installing), [cancel]: { status: 409 } }, 'verify'],
    [
      'says that it will, and goes on',
      accepted,
      { ...at(running, installing, task('Completed', successful)), [cancel]: { status: 202 } },
      'verify',
    ],
    ['is done with it', accepted, at(task('Completed', successful)), 'verify'],
    ['knows nothing of it any more', accepted, at({ status: 404 }), 'activate'],
    ['never told where', { isAccepted: true }, {}, 'activate'],
  ])('%s', async (_what, kept, script, found) => {
    const { adapter, job } = await startDevice(script)
    job.memo.write(JSON.stringify(kept))
    expect(await adapter.withdraw?.(job, 'verify')).toEqual({ ok: true, value: found })
  })

  test('and to which it was not sent yet has nothing to let go of', async () => {
    const { adapter, job } = await startDevice({})
    expect(await adapter.withdraw?.(job, 'transfer')).toEqual({ ok: true, value: 'nothing' })
  })

  test('is followed to the end of what it installs already', async () => {
    const version = '99.9.9'
    const peer = await startPeer()
    onTestFinished(() => peer.adapter.close())
    const abort = new AbortController()
    const image = await bundleOf({ 'NIC-1': version })
    const job = await peer.job('NIC-1', image, { version, signal: abort.signal })
    await peer.adapter.transfer(job)
    await peer.adapter.verify(job)
    const stopped = peer.adapter.install(job)
    abort.abort(new Error('not wanted'))
    await expect(stopped).rejects.toThrow('not wanted')
    const left = { ...job, signal: new AbortController().signal }
    expect(await peer.adapter.withdraw?.(left, 'verify')).toEqual({ ok: true, value: 'verify' })
    for (const stage of ['verify', 'install', 'activate'] as const)
      expect(await peer.adapter[stage](left)).toMatchObject({ ok: true })
    expect(peer.versionOf('NIC-1')).toBe(version)
  })
})

describe('an adapter of another life', () => {
  test.each([
    ['transfer', ['verify', 'install', 'activate'], 'NIC-1', []],
    ['install', ['install', 'activate'], 'BIOS', ['Systems/1']],
  ] as const)('goes on after %s with what the device has', async (at, rest, id, resets) => {
    const version = '99.9.9'
    const peer = await startPeer()
    onTestFinished(() => peer.adapter.close())
    const job = await peer.job(id, await bundleOf({ [id]: version }), { version })
    await peer.adapter.transfer(job)
    if (at === 'install') await peer.adapter.verify(job)
    const other = createRedfishAdapter({ clock: hurried })
    onTestFinished(() => other.close())
    const [first] = rest
    expect(await other.inquire?.(job, at)).toEqual({ ok: true, value: first })
    for (const stage of rest) expect(await other[stage](job)).toMatchObject({ ok: true })
    expect(peer.versionOf(id)).toBe(version)
    expect(peer.resets()).toEqual(resets)
    expect(peer.bmc.state.tasks.size).toBe(1)
  })
})
