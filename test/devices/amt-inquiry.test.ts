import { expect, onTestFinished, test } from 'vitest'
import { createAmtAdapter } from '../../src/devices/amt/amt-adapter.ts'
import { bootFrom, bootState } from '../../src/devices/amt/remote-boot.ts'
import { rejection } from '../contracts/flasher.ts'
import { never } from '../support/amt-machine.ts'
import { factory } from '../support/amt-peer.ts'
import { bundle, type Id, newer, start } from '../support/amt-updates.ts'

/** A console dies some time after it began to install: the machine, and an adapter that knows nothing. */
const dieAfter = async (ms: number, ...ids: readonly Id[]) => {
  const machine = await start()
  const { jobFor, run, clock, adapter, publisher } = machine
  const died = new AbortController()
  const image = await bundle(...ids)
  const jobs = await Promise.all(ids.map((id) => jobFor(id, image, died.signal)))
  for (const job of jobs) await run(job, 'transfer', 'verify')
  const cut = jobs.map((job) => rejection(adapter.install(job)))
  await clock.advance(ms)
  died.abort(new Error('died'))
  await Promise.all(cut)
  for (const job of jobs) adapter.release(job)
  const other = createAmtAdapter({ clock, publish: publisher.publish })
  onTestFinished(() => other.close())
  return { ...machine, other, jobs: jobs.map((job) => ({ ...job, signal: never })) }
}

test.each([
  ['is seen to its end', 20_000, 0, 'activate'],
  ['is over', 60_000, 600_000, 'activate'],
  ['whose image could not be fetched any more begins anew', 2_000, 0, 'nothing'],
])('a boot for two components that %s after the console died', async (_what, ms, laterMs, value) => {
  const { other, jobs, clock, events } = await dieAfter(ms, 'BIOS', 'CSME')
  await clock.advance(laterMs)
  const told = jobs.map(async (job) => other.inquire?.(job, 'install'))
  await clock.advance(3 * 60_000)
  expect(await Promise.all(told)).toEqual(jobs.map(() => ({ ok: true, value })))
  expect(events().filter((event) => event === 'reset')).toHaveLength(1)
})

test.each([
  [true, 3 * 60_000],
  [false, 1_000],
])('a boot that a machine was not asked for is taken back: it is on: %s', async (isOn, ms) => {
  const { jobFor, adapter, clock, management, power } = await start({ isOn })
  const jobs = [await jobFor('BIOS', await bundle('BIOS')), await jobFor('CSME', await bundle('CSME'))]
  await bootFrom(management, { uri: 'https://127.0.0.1/gone', sha256: '00' })
  for (const { memo } of jobs) memo.write('asked')
  const told = jobs.map(async (job) => adapter.inquire?.(job, 'install'))
  await clock.advance(ms)
  expect(await Promise.all(told)).toEqual(jobs.map(() => ({ ok: true, value: 'nothing' })))
  expect(await bootState(management)).toBe('over')
  expect((await power())[0]).toBe(isOn ? '2' : '8')
})

test.each([
  ['install', false, 'nothing'],
  ['install', true, 'activate'],
  ['verify', false, 'nothing'],
  ['activate', false, 'activate'],
] as const)(
  'of a machine that was asked for no boot is told at once: %s, new: %s',
  async (at, isNew, value) => {
    const { jobFor, adapter } = await start(
      isNew ? { versions: { ...factory, bios: newer.BIOS, biosReleased: 0 } } : {},
    )
    const job = await jobFor('BIOS', await bundle('BIOS'))
    expect(await adapter.inquire?.(job, at)).toEqual({ ok: true, value })
  },
)
