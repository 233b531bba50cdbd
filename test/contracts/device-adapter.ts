import { createHash } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { DeviceAdapter, DeviceAddress, FirmwareFacts, OnDevice } from '../../src/devices/device.ts'
import type { FlashJob, FlashResult } from '../../src/devices/flasher.ts'
import { type JobOptions, flashJob, rejection } from './flasher.ts'

/** A device that is real enough: it is reached as any of its kind, and was never updated. */
export interface DevicePeer {
  readonly adapter: DeviceAdapter
  readonly address: DeviceAddress
  /** Where nobody answers. */
  readonly nowhere: DeviceAddress
  /** As somebody whom the device does not know; absent where devices ask nobody. */
  readonly stranger?: DeviceAddress
  /** An image that the device takes. */
  readonly update: { readonly firmwareId: string; readonly version: string; readonly image: Uint8Array }
  /** When the device gets the image's bytes: in `transfer`, unless it fetches them itself later. */
  readonly takesBytesIn?: Stage
  /** Bytes that the device refuses, or finds broken; absent where it takes anything. */
  readonly broken?: Uint8Array
  /** An image after which the version of before stands by on the device; absent where none does. */
  readonly swap?: DevicePeer['update']
  /** A reset that the device offers; absent where it offers none. */
  readonly reset?: { readonly of: 'system' | 'manager'; readonly type: string }
  /** What is open on our account, at both ends: connections, sessions, uploads, processes. */
  readonly open: () => readonly string[] | Promise<readonly string[]>
}

export const stages = ['transfer', 'verify', 'install', 'activate'] as const
type Stage = (typeof stages)[number]

export interface DeviceJob extends FlashJob, OnDevice {
  readonly shares: number[]
}

/** A job for one piece of firmware of a device, with what was told of its progress. */
export function deviceJob(
  device: DeviceAddress,
  firmware: FirmwareFacts,
  { image, version, ...options }: JobOptions & { readonly image: Uint8Array; readonly version: string },
): DeviceJob {
  const whole = {
    sizeBytes: image.byteLength,
    sha256: createHash('sha256').update(image).digest('hex'),
    read: () => inPieces(image),
  }
  return {
    ...flashJob(options),
    version,
    image: whole,
    package: { ...whole, fileName: 'update.bin' },
    device,
    firmware,
  }
}

/** What every adapter must do; each applies it once, with a peer for each test. */
export function deviceAdapterContract(name: string, start: () => Promise<DevicePeer>): void {
  const prepare = async () => {
    const peer = await start()
    onTestFinished(() => peer.adapter.close())
    const { adapter, address, update } = peer
    const look = async () => {
      const seen = await adapter.look(address, new AbortController().signal)
      if (!seen.ok) throw new Error(`the device could not be looked at: ${seen.problem.detail}`)
      return seen.value
    }
    const firmware = async (): Promise<FirmwareFacts> => {
      const found = (await look()).firmware.find(({ id }) => id === update.firmwareId)
      if (found === undefined) throw new Error(`the device has no firmware ${update.firmwareId}`)
      return found
    }
    const known = await firmware()
    const job = (options: JobOptions & { readonly image?: Uint8Array } = {}): DeviceJob =>
      deviceJob(address, known, { ...update, ...options })
    const run = async (...wanted: readonly Stage[]): Promise<FlashResult[]> => {
      const results: FlashResult[] = []
      for (const stage of wanted) results.push(await adapter[stage](job()))
      return results
    }
    return { ...peer, look, firmware, job, run, before: known.version }
  }
  const never = (): AbortSignal => new AbortController().signal

  describe(`${name}: an adapter`, () => {
    test('tells who a device is, and what runs on it', async () => {
      const { look, update } = await prepare()
      const facts = await look()
      expect(facts.name).not.toBe('')
      const ids = facts.firmware.map(({ id }) => id)
      expect(ids).toContain(update.firmwareId)
      expect(new Set(ids).size).toBe(ids.length)
      for (const id of ids) expect(id).toMatch(/^[\w.-]+$/)
      for (const { of } of facts.firmware) expect(['system', 'manager', 'chassis']).toContain(of)
    })

    test('says that nobody is there', async () => {
      const { adapter, nowhere } = await prepare()
      expect(await adapter.look(nowhere, never())).toMatchObject({ problem: { kind: 'unreachable' } })
    })

    test('says that the device does not know who asks', async ({ skip }) => {
      const { adapter, stranger } = await prepare()
      if (stranger === undefined) return skip('such devices ask nobody who he is')
      expect(await adapter.look(stranger, never())).toMatchObject({ problem: { kind: 'unauthorized' } })
      const refused = await adapter.look(stranger, never())
      expect(JSON.stringify(refused)).not.toContain(stranger.password)
    })

    test('updates a device, which runs the new version then', async () => {
      const { run, firmware, update, before } = await prepare()
      expect(update.version).not.toBe(before)
      const results = await run(...stages)
      expect(results.map(({ ok }) => ok)).toEqual([true, true, true, true])
      const told = results.at(-1)
      expect(told?.ok === true && (told.value?.version ?? update.version)).toBe(update.version)
      expect(await firmware()).toMatchObject({ version: update.version })
    })

    test('brings back what stands by on the device, without an image', async ({ skip }) => {
      const { adapter, address, swap = skip() } = await start()
      onTestFinished(() => adapter.close())
      const firmware = async () => {
        const seen = await adapter.look(address, never())
        const found = seen.ok && seen.value.firmware.find(({ id }) => id === swap.firmwareId)
        if (!found) throw new Error(`no firmware ${swap.firmwareId}`)
        return found
      }
      const factory = await firmware()
      const job = deviceJob(address, factory, swap)
      for (const stage of stages) expect(await adapter[stage](job)).toMatchObject({ ok: true })
      const swapped = await firmware()
      expect([swapped.version, swapped.standsBy]).toEqual([swap.version, [factory.version]])
      const { version } = factory
      expect(await adapter.activate(deviceJob(address, swapped, { ...swap, version }))).toMatchObject({
        ok: true,
        value: { version },
      })
      expect(await firmware()).toMatchObject({ version, standsBy: [swap.version] })
    })

    test.each(stages)('tells a progress that rises to 1 during %s', async (stage) => {
      const { adapter, run, job } = await prepare()
      await run(...stages.slice(0, stages.indexOf(stage)))
      const watched = job()
      expect(await adapter[stage](watched)).toMatchObject({ ok: true })
      const { shares } = watched
      expect(shares.at(-1)).toBe(1)
      expect(shares).toEqual(shares.toSorted((a, b) => a - b))
      expect(shares.every((share) => share > 0)).toBe(true)
    })

    test('has nothing to verify or to install where nothing was transferred', async () => {
      const { run, firmware, before } = await prepare()
      expect(await run('verify', 'install')).toMatchObject([
        { problem: { kind: 'corrupt' } },
        { problem: { kind: 'nothing-installed' } },
      ])
      expect(await firmware()).toMatchObject({ version: before })
    })

    test('says that a device does not take an image', async ({ skip }) => {
      const { adapter, job, firmware, broken, before } = await prepare()
      if (broken === undefined) return skip('such devices take anything')
      const results: FlashResult[] = []
      for (const stage of stages.slice(0, 3)) {
        if (results.every(({ ok }) => ok)) results.push(await adapter[stage](job({ image: broken })))
      }
      expect(results.map((one) => (one.ok ? 'ok' : one.problem.kind)).at(-1)).toMatch(/^(failed|corrupt)$/)
      expect(await firmware()).toMatchObject({ version: before })
    })

    test.each(stages)(
      'leaves nothing open when a %s is aborted, and rejects with the reason',
      async (stage) => {
        const { adapter, run, job, look, open } = await prepare()
        await run(...stages.slice(0, stages.indexOf(stage)))
        const abort = new AbortController()
        const stopped = job({ signal: abort.signal })
        const ended = rejection(adapter[stage](stopped))
        abort.abort(new Error('the machine was reset'))
        expect(await ended).toBe('the machine was reset')
        expect(stopped.shares).not.toContain(1)
        adapter.release(stopped)
        await expect.poll(open).toEqual([])
        await look()
      },
    )

    test('leaves nothing open when it is aborted in the middle of the bytes, and the device can be updated then', async () => {
      const { adapter, run, job, firmware, open, update, takesBytesIn = 'transfer' } = await prepare()
      const abort = new AbortController()
      const whole = job({ signal: abort.signal })
      const read = (): AsyncIterable<Uint8Array> => untilAborted(whole.package.read(), abort)
      const stopped = { ...whole, image: { ...whole.image, read }, package: { ...whole.package, read } }
      for (const stage of stages.slice(0, stages.indexOf(takesBytesIn)))
        expect(await adapter[stage](stopped)).toMatchObject({ ok: true })
      expect(await rejection(adapter[takesBytesIn](stopped))).toBe('in the middle')
      adapter.release(stopped)
      await expect.poll(open).toEqual([])
      expect((await run(...stages)).map(({ ok }) => ok)).toEqual([true, true, true, true])
      expect(await firmware()).toMatchObject({ version: update.version })
    })

    test.each(stages)('does not begin a %s that was aborted before', async (stage) => {
      const { adapter, job, open } = await prepare()
      const signal = AbortSignal.abort(new Error('closing'))
      expect(await rejection(adapter[stage](job({ signal })))).toBe('closing')
      await expect.poll(open).toEqual([])
    })

    test('is stopped while it looks', async () => {
      const { adapter, address, open } = await prepare()
      const abort = new AbortController()
      const stopped = rejection(adapter.look(address, abort.signal))
      abort.abort(new Error('not wanted'))
      expect(await stopped).toBe('not wanted')
      await expect.poll(open).toEqual([])
    })

    test('has a reset accepted that the device offers', async ({ skip }) => {
      const { adapter, address, reset, look } = await prepare()
      if (reset === undefined) return skip('such devices offer none')
      const { resetTypes, managerResetTypes } = await look()
      expect(reset.of === 'system' ? resetTypes : managerResetTypes).toContain(reset.type)
      expect(await adapter.reset(address, reset, never())).toMatchObject({ ok: true })
    })

    test('says that the device offers no such reset', async () => {
      const { adapter, address } = await prepare()
      for (const of of ['system', 'manager'] as const) {
        const refused = await adapter.reset(address, { of, type: 'Sideways' }, never())
        expect(refused.ok ? 'accepted' : refused.problem.kind).toMatch(/^(unsupported|failed)$/)
      }
    })

    test('lets go of everything when it is closed, and of what is under way', async () => {
      const { adapter, address, job, open } = await prepare()
      const left = [adapter.look(address, never()), adapter.transfer(job())]
      await adapter.close()
      expect((await Promise.all(left)).map(({ ok }) => ok)).toEqual([false, false])
      await expect.poll(open).toEqual([])
    })
  })
}

/** So small that no end of a socket has room for all of an image. */
// eslint-disable-next-line @typescript-eslint/require-await -- the port is asynchronous, memory is not
async function* inPieces(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 16_384) yield bytes.subarray(at, at + 16_384)
}

/** The first two pieces; then somebody does not want the rest. */
async function* untilAborted(
  pieces: AsyncIterable<Uint8Array>,
  abort: AbortController,
): AsyncIterable<Uint8Array> {
  let count = 0
  for await (const piece of pieces) {
    if (++count === 3) abort.abort(new Error('in the middle'))
    yield piece
  }
}
