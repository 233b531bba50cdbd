import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Component, createBmc, findComponent } from '../../src/bmc/bmc.ts'
import type { DeviceBehaviour } from '../../src/bmc/machine-file.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import type { Flasher, FlashJob, FlashResult, Memo, Strikes } from '../../src/devices/flasher.ts'
import { VirtualClock } from '../../src/lib/clock.ts'

const MIB = 2 ** 20
const bmc = createBmc('1', loadMachine('rackmount'), new Map())
const stages = ['transfer', 'verify', 'install', 'activate'] as const
type Stage = (typeof stages)[number]

/** Longer than any stage of these tests. */
const LONG_MS = 600_000

/** A device that takes 1 MiB per second, and a second or two for everything else. */
export const behaviour: DeviceBehaviour = {
  bandwidthBytesPerSecond: MIB,
  verifyMs: 1_000,
  installMs: 2_000,
  activateMs: 3_000,
  capacityBytes: 8 * MIB,
}

export interface JobOptions {
  readonly id?: string
  readonly bmcId?: string
  readonly sizeBytes?: number
  /** What the image's bytes really are; the digest is of what they should be. */
  readonly delivered?: Uint8Array
  readonly behaviour?: Partial<DeviceBehaviour>
  readonly hasPower?: () => boolean
  readonly signal?: AbortSignal
  readonly strikes?: Strikes
  readonly memo?: Memo
}

/** What nobody keeps. */
export function newStrikes(): Strikes {
  const counts = new Map<string, number>()
  const of = (fault: string): number => counts.get(fault) ?? 0
  return { of, add: (fault) => counts.set(fault, of(fault) + 1) }
}

/** What is known for as long as somebody has it. */
export function newMemo(): Memo {
  let text: string | undefined
  return { read: () => text, write: (now) => (text = now) }
}

/** A job, and what the device has said of its progress so far. */
export function flashJob(options: JobOptions = {}): FlashJob & { readonly shares: number[] } {
  const { id = 'NIC-1', bmcId = '1', sizeBytes = 4 * MIB, hasPower = () => true } = options
  const bytes = Buffer.alloc(sizeBytes, 7)
  const { delivered = bytes, signal = new AbortController().signal, strikes = newStrikes() } = options
  const { memo = newMemo() } = options
  const shares: number[] = []
  const image = {
    sizeBytes,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    read: () => chunks(delivered),
  }
  return {
    bmcId,
    version: '2.0.0',
    speed: 1,
    component: { ...component(id), behaviour: { ...behaviour, ...options.behaviour } },
    image,
    package: { ...image, fileName: 'image.bin' },
    hasPower,
    signal,
    strikes,
    memo,
    shares,
    progress: (share) => shares.push(share),
  }
}

/** What every Flasher must do, however long it takes; each implementation applies it once. */
export function flasherContract(name: string, make: (clock: VirtualClock) => Flasher): void {
  const prepare = () => {
    const clock = new VirtualClock()
    const flasher = make(clock)
    /** Runs stages to their end, one after the other, and tells what each came to. */
    const run = async (job: FlashJob, ...wanted: readonly Stage[]): Promise<string[]> => {
      const results: string[] = []
      for (const stage of wanted) {
        const result = flasher[stage](job)
        await clock.advance(LONG_MS)
        results.push(outcome(await result))
      }
      return results
    }
    return { clock, flasher, run }
  }

  describe(`${name}: a flasher`, () => {
    test('transfers, verifies, installs and activates an image', async () => {
      const { run } = prepare()
      expect(await run(flashJob(), ...stages)).toEqual(['ok', 'ok', 'ok', 'ok'])
    })

    test.each(stages)('tells a progress that rises to 1 during %s', async (stage) => {
      const { run } = prepare()
      const before = stages.slice(0, stages.indexOf(stage))
      await run(flashJob(), ...before)
      const job = flashJob()
      await run(job, stage)
      expect(job.shares.at(-1)).toBe(1)
      expect(job.shares).toEqual(job.shares.toSorted((a, b) => a - b))
      expect(job.shares.every((share) => share > 0)).toBe(true)
    })

    test.each([
      ['one byte differs', { delivered: Buffer.alloc(4 * MIB, 7).fill(8, 0, 1) }],
      ['the last byte is missing', { delivered: Buffer.alloc(4 * MIB - 1, 7) }],
      ['a byte is too many', { delivered: Buffer.alloc(4 * MIB + 1, 7) }],
    ])('finds an image corrupt when %s', async (_what, options) => {
      const { run } = prepare()
      expect((await run(flashJob(options), 'transfer', 'verify')).at(-1)).toBe('corrupt')
    })

    test('finds nothing to verify where nothing was transferred', async () => {
      const { run } = prepare()
      expect(await run(flashJob(), 'verify')).toEqual(['corrupt'])
    })

    test('takes an image of the size of its flash region, and none that is a byte larger', async () => {
      const { run } = prepare()
      const fits = flashJob({ behaviour: { capacityBytes: 4 * MIB } })
      expect(await run(fits, 'transfer')).toEqual(['ok'])
      const tooLarge = flashJob({ behaviour: { capacityBytes: 4 * MIB - 1 } })
      expect(await run(tooLarge, 'transfer')).toEqual([`too-large ${4 * MIB - 1}`])
    })

    test.each(stages)('needs power to %s', async (stage) => {
      const { run } = prepare()
      await run(flashJob(), ...stages.slice(0, stages.indexOf(stage)))
      expect(await run(flashJob({ hasPower: () => false }), stage)).toEqual(['no-power'])
    })

    test('fails when the power goes during the transfer', async () => {
      const { run } = prepare()
      let looks = 0
      expect(await run(flashJob({ hasPower: () => ++looks < 3 }), 'transfer')).toEqual(['no-power'])
    })

    test('installs only what was transferred, and that once', async () => {
      const { run } = prepare()
      expect(await run(flashJob(), 'install')).toEqual(['nothing-installed'])
      expect(await run(flashJob(), 'transfer', 'verify', 'install', 'install')).toEqual([
        'ok',
        'ok',
        'ok',
        'nothing-installed',
      ])
    })

    test('takes an image again from its beginning', async () => {
      const { run } = prepare()
      const broken = flashJob({ delivered: Buffer.alloc(MIB, 7) })
      await run(broken, 'transfer')
      expect(await run(flashJob(), 'transfer', 'verify')).toEqual(['ok', 'ok'])
    })

    test('forgets on release what it took, of that device only', async () => {
      const { flasher, run } = prepare()
      const jobs = [flashJob(), flashJob({ id: 'NIC-2' }), flashJob({ bmcId: '2' })]
      for (const job of jobs) await run(job, 'transfer')
      flasher.release({ bmcId: '1', component: component('NIC-1') })
      const results: string[] = []
      for (const job of jobs) results.push(...(await run(job, 'install')))
      expect(results).toEqual(['nothing-installed', 'ok', 'ok'])
    })

    test('keeps devices that work side by side apart', async () => {
      const { clock, flasher, run } = prepare()
      const good = flashJob()
      const others = [
        flashJob({ id: 'NIC-2', sizeBytes: MIB, delivered: Buffer.alloc(MIB, 1) }),
        flashJob({ bmcId: '2', sizeBytes: MIB, delivered: Buffer.alloc(MIB, 2) }),
      ]
      const transfers = [good, ...others].map((job) => flasher.transfer(job))
      await clock.advance(LONG_MS)
      await Promise.all(transfers)
      expect(await run(good, 'verify')).toEqual(['ok'])
      expect(await run(others[0] ?? good, 'verify')).toEqual(['corrupt'])
      expect(await run(others[1] ?? good, 'verify')).toEqual(['corrupt'])
    })

    test.each(stages)('stops a %s that is aborted, and rejects with the reason', async (stage) => {
      const { clock, flasher, run } = prepare()
      await run(flashJob(), ...stages.slice(0, stages.indexOf(stage)))
      const abort = new AbortController()
      const job = flashJob({ signal: abort.signal })
      const stopped = rejection(flasher[stage](job))
      abort.abort(new Error('the machine was reset'))
      await clock.advance(LONG_MS)
      expect(await stopped).toBe('the machine was reset')
      expect(job.shares).not.toContain(1)
    })

    test('does not begin what was aborted before', async () => {
      const { clock, flasher } = prepare()
      const job = flashJob({ signal: AbortSignal.abort(new Error('closing')) })
      const stopped = rejection(flasher.transfer(job))
      await clock.advance(LONG_MS)
      expect(await stopped).toBe('closing')
    })
  })
}

function component(id: string): Component {
  const found = findComponent(bmc, id)
  if (found === undefined) throw new Error(`no component ${id}`)
  return found
}

/** What a promise is rejected with. */
export function rejection(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'it was not rejected',
    (error: unknown) => (error instanceof Error ? error.message : error),
  )
}

/** A result in a word; the capacity is part of what is told. */
export function outcome(result: FlashResult): string {
  if (result.ok) return 'ok'
  const { problem } = result
  return problem.kind === 'too-large' ? `${problem.kind} ${problem.capacityBytes}` : problem.kind
}

// eslint-disable-next-line @typescript-eslint/require-await -- the port is asynchronous, memory is not
async function* chunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 2 ** 16) yield bytes.subarray(at, at + 2 ** 16)
}
