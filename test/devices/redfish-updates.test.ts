import { Readable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import type { FlashResult } from '../../src/devices/flasher.ts'
import { createRedfishAdapter, type RedfishOptions } from '../../src/devices/redfish/redfish-adapter.ts'
import type { EmulatorOptions } from '../../src/index.ts'
import { uris } from '../../src/redfish/uris.ts'
import { stages } from '../contracts/device-adapter.ts'
import { serveHttp } from '../support/image-server.ts'
import { bundleOf } from '../support/images.ts'
import { hurried, startPeer } from '../support/redfish-peer.ts'

const nic = { version: '22.42.1000' }
const imageOfNic = () => bundleOf({ 'NIC-1': nic.version })
const shapes = ['job', 'pending', 'completed'] as const

async function start(options: Parameters<typeof startPeer>[0] = {}) {
  const peer = await startPeer(options)
  onTestFinished(() => peer.adapter.close())
  return peer
}

/** What came of it, in a word for each stage: `ok`, the version that runs, or the keys of the messages. */
function words(results: readonly FlashResult[]): string[] {
  return results.map((result) => {
    if (result.ok) return result.value?.version ?? 'ok'
    const { problem } = result
    if (problem.kind !== 'failed') return problem.kind
    return (problem.why ?? []).map(({ MessageId }) => MessageId.replace(/\.[\d.]+\./, '.')).join(' ')
  })
}

describe.each(shapes)('where a wait for a reset is shown as %s, an update', (awaitReset) => {
  test.each([
    ['BIOS', '9.9.9', ['Systems/1']],
    ['BMC-Primary', '9.9.9', ['Managers/1']],
    ['NIC-1', '99.9.9', []],
  ])('of %s performs the resets that it asks for, and no other', async (id, version, expected) => {
    const peer = await start({ awaitReset })
    const results = await peer.update(id, await bundleOf({ [id]: version }), { version })
    expect(words(results)).toEqual(['ok', 'ok', 'ok', version])
    expect(peer.versionOf(id)).toBe(version)
    expect(peer.resets()).toEqual(expected)
  })

  test('that its device fails in the reset fails at last', async () => {
    const devices: EmulatorOptions['devices'] = { BIOS: { fail: { at: 'activate' } } }
    const peer = await start({ awaitReset, devices, adapter: { patience: { versionMs: Infinity } } })
    const results = await peer.update('BIOS', await bundleOf({ BIOS: '9.9.9' }), { version: '9.9.9' })
    // Where its task had ended before the reset, only the version tells.
    const last = awaitReset === 'completed' ? '1.8.0' : 'Update.ActivateFailed'
    expect(words(results)).toEqual(['ok', 'ok', 'ok', last])
  })
})

describe('an update', () => {
  test.each([
    ['transfer', ['ok', 'Update.TransferFailed']],
    ['verify', ['ok', 'Update.VerificationFailed']],
    ['install', ['ok', 'ok', 'Update.ApplyFailed']],
    ['activate', ['ok', 'ok', 'ok', 'Update.ActivateFailed']],
  ] as const)('that a device fails to %s fails there, with what it says of that', async (at, expected) => {
    const peer = await start({ devices: { 'NIC-1': { fail: { at } } } })
    const results = await peer.update('NIC-1', await imageOfNic(), nic)
    expect(words(results)).toEqual(expected)
    expect(peer.versionOf('NIC-1')).toBe(peer.before('NIC-1'))
  })

  test('that fails is told in words of ours, of a component of ours', async () => {
    const peer = await start({ devices: { 'NIC-1': { fail: { at: 'verify' } } } })
    const image = await imageOfNic()
    const component = { ...(await peer.job('NIC-1', image, nic)).component, uri: '/redfish/v1/ours' }
    const job = { ...(await peer.job('NIC-1', image, nic)), component }
    await peer.adapter.transfer(job)
    const failed = await peer.adapter.verify(job)
    expect(failed).toMatchObject({ problem: { why: [{ MessageArgs: ['NIC-1 22.42.1000', component.uri] }] } })
  })

  test('of what the device says runs nothing new tells what runs', async () => {
    const peer = await start({ devices: { 'NIC-1': { fail: { at: 'activate', how: 'wrong-version' } } } })
    const results = await peer.update('NIC-1', await imageOfNic(), nic)
    expect(words(results)).toEqual(['ok', 'ok', 'ok', peer.before('NIC-1')])
  })

  test('with bytes of no format is refused with the reasons', async () => {
    const peer = await start()
    const results = await peer.update('NIC-1', Buffer.alloc(4_096, 1), nic)
    expect(words(results)).toEqual(['ok', 'Update.VerificationFailed Redflash.ImageMalformed'])
  })

  test('that is larger than the device takes is not sent', async () => {
    const peer = await start({ maxImageSize: '64KiB' })
    const results = await peer.update('NIC-1', await imageOfNic(), nic)
    expect(results).toEqual([{ ok: false, problem: { kind: 'too-large', capacityBytes: 65_536 } }])
    expect(peer.bmc.state.tasks.size).toBe(0)
  })

  test('of the version that runs is installed all the same: that was decided already', async () => {
    const peer = await start()
    const version = peer.before('NIC-1') ?? ''
    const results = await peer.update('NIC-1', await bundleOf({ 'NIC-1': version }), { version })
    expect(words(results)).toEqual(['ok', 'ok', 'ok', version])
    expect([...peer.bmc.state.tasks.values()].flatMap(({ messages }) => messages)).toContainEqual(
      expect.objectContaining({ MessageId: expect.stringContaining('.UpdateSuccessful') as string }),
    )
  })

  test('is for what it names, and for nothing else that the image is for', async () => {
    const peer = await start()
    const version = '1.8.0.0'
    const results = await peer.update('PSU-2', await bundleOf({ 'PSU-1': version }), { version })
    expect(words(results)).toEqual(['ok', 'ok', 'ok', version])
    expect(peer.versionOf('PSU-1')).toBe(peer.before('PSU-1'))
  })

  test('of a device that lets nothing be named goes by its image, whatever becomes of the rest of that', async () => {
    const peer = await start({ profile: 'lenovo-xcc3', devices: { 'NIC-2': { fail: { at: 'install' } } } })
    const image = await bundleOf({ 'NIC-1': nic.version, 'NIC-2': '99.9.9' })
    expect(words(await peer.update('NIC-1', image, nic))).toEqual(['ok', 'ok', 'ok', nic.version])
    expect(peer.versionOf('NIC-2')).toBe(peer.before('NIC-2'))
  })

  test('goes on by HTTPS, whoever made the certificate', async () => {
    const peer = await start({ https: true })
    const { host } = new URL(peer.emulator.httpsUrl ?? '')
    const address = { ...peer.address, hostName: host }
    const job = { ...(await peer.job('NIC-1', await imageOfNic(), nic)), device: address }
    const results: FlashResult[] = []
    for (const stage of stages) results.push(await peer.adapter[stage](job))
    expect(words(results)).toEqual(['ok', 'ok', 'ok', nic.version])
  })

  test('goes on without sessions where there are none to be had', async () => {
    const peer = await start()
    commit(peer.bmc, { settings: { sessionServiceEnabled: false } })
    const results = await peer.update('NIC-1', await imageOfNic(), nic)
    expect(words(results)).toEqual(['ok', 'ok', 'ok', nic.version])
  })

  test('goes on with another session where one is lost', async () => {
    const peer = await start()
    const image = await imageOfNic()
    const job = await peer.job('NIC-1', image, nic)
    const lost: string[] = []
    // Whenever it has come a little further.
    const lose = (): void => {
      const ids = [...peer.bmc.state.sessions.keys()]
      lost.push(...ids)
      commit(peer.bmc, { sessions: ids.map((id) => [id, undefined]) })
    }
    const results: FlashResult[] = []
    for (const stage of stages) results.push(await peer.adapter[stage]({ ...job, progress: lose }))
    expect(words(results)).toEqual(['ok', 'ok', 'ok', nic.version])
    expect(lost.length).toBeGreaterThan(4)
  })

  test('that is not wanted any more is cancelled on the device', async () => {
    const peer = await start({ speed: 1 })
    const abort = new AbortController()
    const job = await peer.job('NIC-1', await imageOfNic(), { ...nic, signal: abort.signal })
    await peer.adapter.transfer(job)
    const stopped = peer.adapter.verify(job)
    abort.abort(new Error('not wanted'))
    await expect(stopped).rejects.toThrow('not wanted')
    peer.adapter.release(job)
    await expect.poll(() => peer.bmc.state.tasks.get('1')?.state).toBe('Cancelled')
  })

  test('that nobody remembers is seen by its inventory', async () => {
    const peer = await start()
    const job = await peer.job('BIOS', await bundleOf({ BIOS: '9.9.9' }), { version: '9.9.9' })
    for (const stage of stages.slice(0, 3)) expect(await peer.adapter[stage](job)).toEqual({ ok: true })
    // After a restart of ours.
    const other = createRedfishAdapter({ clock: hurried })
    onTestFinished(() => other.close())
    expect(await other.activate(job)).toEqual({ ok: true, value: { version: '9.9.9' } })
    expect(peer.resets()).toEqual(['Systems/1'])
  })
})

describe('where no image is taken in parts, an update', () => {
  const raw = { updateMethods: 'raw' }

  test('is for what it names, and leaves what it was said by as it was', async () => {
    const peer = await start(raw)
    const version = '1.8.0.0'
    commit(peer.bmc, { settings: { pushApplyTime: 'OnReset', pushTargets: [uris.firmware('PSU-1')] } })
    const results = await peer.update('PSU-2', await bundleOf({ 'PSU-1': version }), { version })
    expect(words(results)).toEqual(['ok', 'ok', 'ok', version])
    expect(peer.versionOf('PSU-1')).toBe(peer.before('PSU-1'))
    expect(peer.bmc.state.settings).toMatchObject({
      pushApplyTime: 'OnReset',
      pushTargets: [uris.firmware('PSU-1')],
      pushTargetsBusy: false,
      pushOptionsBusy: false,
      pushForce: false,
    })
  })

  test('waits for other clients, and gives up when they do not end', async () => {
    const peer = await start({ ...raw, adapter: { patience: { beginMs: 60_000 } } })
    commit(peer.bmc, { settings: { pushTargetsBusy: true } })
    const [failed] = await peer.update('NIC-1', await imageOfNic(), nic)
    expect(failed).toMatchObject({ problem: { why: [{ MessageId: 'Redflash.1.0.DeviceFailed' }] } })
    const waits = peer.update('NIC-1', await imageOfNic(), nic)
    commit(peer.bmc, { settings: { pushTargetsBusy: false } })
    expect(words(await waits)).toEqual(['ok', 'ok', 'ok', nic.version])
  })

  test('that is aborted leaves what it was said by as it was', async () => {
    const peer = await start(raw)
    const abort = new AbortController()
    const job = await peer.job('NIC-1', await imageOfNic(), { ...nic, signal: abort.signal })
    const stopped = peer.adapter.transfer({ ...job, progress: () => abort.abort(new Error('not wanted')) })
    await expect(stopped).rejects.toThrow('not wanted')
    expect(peer.bmc.state.settings).toMatchObject({
      pushTargets: [],
      pushTargetsBusy: false,
      pushForce: false,
    })
    await expect.poll(peer.open).toEqual([])
  })
})

describe('where images are only fetched, an update', () => {
  const simple = { updateMethods: 'simple' }

  test('cannot be where nobody lets them be fetched', async () => {
    const peer = await start(simple)
    expect(words(await peer.update('NIC-1', await imageOfNic(), nic))).toEqual(['Redflash.DeviceFailed'])
  })

  test('lets its image be fetched, for as long as that is needed', async () => {
    let isDone = false
    const publish: RedfishOptions['publish'] = async ({ read }) => {
      const { uri } = await serveHttp((_request, response) => {
        Readable.from(read()).pipe(response)
      })
      return { uri: uri.href, done: () => (isDone = true) }
    }
    const peer = await start({ ...simple, adapter: { publish } })
    const job = await peer.job('NIC-1', await imageOfNic(), nic)
    expect(await peer.adapter.transfer(job)).toEqual({ ok: true })
    expect(job.shares.at(-1)).toBe(1)
    expect(isDone).toBe(false)
    const results: FlashResult[] = []
    for (const stage of stages.slice(1)) results.push(await peer.adapter[stage](job))
    expect(words(results)).toEqual(['ok', 'ok', nic.version])
    expect(isDone).toBe(true)
  })

  test('whose image cannot be fetched fails, and lets go of it', async () => {
    let isDone = false
    const publish: RedfishOptions['publish'] = () =>
      Promise.resolve({ uri: 'http://127.0.0.1:1/image', done: () => (isDone = true) })
    const peer = await start({ ...simple, adapter: { publish } })
    const job = await peer.job('NIC-1', await imageOfNic(), nic)
    await peer.adapter.transfer(job)
    expect(words([await peer.adapter.verify(job)])[0]).toContain('CouldNotEstablishConnection')
    peer.adapter.release(job)
    expect(isDone).toBe(true)
  })
})

describe('of a machine of many systems, an update', () => {
  test.each([
    ['Blade2-BIOS', '9.9.9', ['Systems/Blade2']],
    ['EnclosureManager', '9.9.9', ['Managers/EnclosureManager']],
  ])('of %s resets what that belongs to', async (id, version, expected) => {
    const peer = await start({ machine: 'bladed' })
    const softwareId = (await peer.look()).firmware.find((one) => one.id === id)?.softwareId ?? ''
    const image = await bundleOf({ [id]: version }, { softwareId })
    expect(words(await peer.update(id, image, { version }))).toEqual(['ok', 'ok', 'ok', version])
    expect(peer.resets()).toEqual(expected)
  })
})
