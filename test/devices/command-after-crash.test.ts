import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pid } from 'node:process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createCommandAdapter } from '../../src/devices/command/command-adapter.ts'
import { systemClock, VirtualClock } from '../../src/lib/clock.ts'
import { stages } from '../contracts/device-adapter.ts'
import { newMemo, rejection } from '../contracts/flasher.ts'
import { job, OK, startCommand } from '../support/own-devices.ts'

type Stage = (typeof stages)[number]

/** A program that is at a stage, as this text says, for a console that died; and the adapter of the next one. */
async function startLeft(stage: Stage, text: string, { clock = systemClock, runs = '2.0.0' } = {}) {
  const facts = `{"ok":true,"name":"lab-1","firmware":[{"id":"BIOS","version":"${runs}"}]}`
  const { adapter: dead, ...left } = await startCommand(
    `echo "$1" >> calls
     [ "$1" = look ] && echo '${facts}' && exit
     [ "$1" = ${stage} ] && { ${text}; }
     ${OK}`,
  )
  const memo = newMemo()
  for (const one of stages.slice(0, stages.indexOf(stage))) await dead[one](job({ memo }))
  const ended = dead[stage](job({ memo }))
  const calls = async (): Promise<string[]> => {
    const lines = await readFile(join(left.folder, 'calls'), 'utf8').catch(() => '')
    return lines.split('\n').slice(0, -1)
  }
  await expect.poll(calls).toContain(stage)
  const images = { open: () => Promise.reject(new Error('no image')), remove: async () => {} }
  const adapter = createCommandAdapter({
    clock,
    program: join(left.folder, 'device'),
    images,
    patience: { stageMs: 10_000 },
  })
  onTestFinished(async () => {
    await Promise.all([dead.close(), adapter.close(), ended])
  })
  return {
    adapter,
    memo,
    calls,
    ended,
    /** What runs of it. */
    running: async () => (await left.open()).filter((one) => one.includes(join(left.folder, 'device'))),
    isThere: (name: string) => existsSync(join(left.folder, name)),
    letGo: () => writeFile(join(left.folder, 'go'), ''),
  }
}

const WAITS = 'until [ -e go ]; do sleep 0.01; done; touch wrote'
const DEAF = `trap '' TERM; touch deaf; while :; do sleep 0.1; done`

describe('a program that outlives its console', () => {
  test('is ended where it had written nothing, and all begins anew', async () => {
    const { adapter, memo, running, isThere } = await startLeft('transfer', WAITS)
    expect(await adapter.inquire?.(job({ memo }), 'transfer')).toEqual({ ok: true, value: 'nothing' })
    expect(await running()).toEqual([])
    expect(isThere('wrote')).toBe(false)
  })

  test('is waited for where it may write, and nobody knows what came of it', async () => {
    const { adapter, memo, letGo, isThere, calls } = await startLeft('install', WAITS)
    const found = adapter.inquire?.(job({ memo }), 'install')
    await letGo()
    expect(await found).toEqual({ ok: false, problem: { kind: 'failed' } })
    expect(isThere('wrote')).toBe(true)
    expect(await calls()).toEqual(['transfer', 'verify', 'install'])
  })

  test('has activated what is seen to run then, and is not called for it again', async () => {
    const { adapter, memo, letGo, calls } = await startLeft('activate', WAITS)
    const found = adapter.inquire?.(job({ memo }), 'activate')
    await letGo()
    expect(await found).toEqual({ ok: true, value: 'activate' })
    expect(await adapter.activate(job({ memo }))).toEqual({ ok: true, value: { version: '2.0.0' } })
    expect(await calls()).toEqual([...stages, 'look'])
    await adapter.activate(job({ memo }))
    expect(await calls()).toEqual([...stages, 'look', 'activate'])
  })

  test('has not activated what does not run', async () => {
    const { adapter, memo, ended } = await startLeft('activate', 'exit 3', { runs: '1.0.0' })
    await ended
    expect(await adapter.inquire?.(job({ memo }), 'activate')).toMatchObject({ ok: false })
  })

  test.each([
    ['install', 'nothing'],
    ['activate', 'activate'],
  ] as const)('was not called for %s where an earlier stage was the last', async (at, value) => {
    const { adapter, memo, ended } = await startLeft('verify', 'exit 0')
    await ended
    expect(await adapter.inquire?.(job({ memo }), at)).toEqual({ ok: true, value })
  })

  test.each([
    ['where it does not listen', 'transfer', 5_100],
    ['where it does not end', 'install', 15_100],
  ] as const)('is killed %s', async (_what, stage, ms) => {
    const clock = new VirtualClock()
    const { adapter, memo, running, isThere } = await startLeft(stage, DEAF, { clock })
    await expect.poll(() => isThere('deaf')).toBe(true)
    const found = adapter.inquire?.(job({ memo }), stage)
    await clock.advance(ms - 200)
    expect(await running()).not.toEqual([])
    await clock.advance(200)
    await expect.poll(running).toEqual([])
    await clock.advance(1_000)
    expect(await found).toMatchObject({ ok: stage === 'transfer' })
  })

  test('is ended when nobody wants it any more', async () => {
    const { adapter, memo, running } = await startLeft('install', WAITS)
    const abort = new AbortController()
    const found = rejection(
      Promise.resolve(adapter.inquire?.(job({ memo, signal: abort.signal }), 'install')),
    )
    abort.abort(new Error('cancelled'))
    expect(await found).toBe('cancelled')
    expect(await running()).toEqual([])
  })

  test('is not somebody else who has its number now', async () => {
    const { adapter, memo } = await startLeft('transfer', 'exit 0')
    const kept = JSON.parse(memo.read() ?? '{}')
    expect(kept).toEqual({ stage: 'transfer', mark: { pid: expect.any(Number), born: expect.any(String) } })
    memo.write(JSON.stringify({ ...kept, mark: { ...kept.mark, pid } }))
    expect(await adapter.inquire?.(job({ memo }), 'transfer')).toEqual({ ok: true, value: 'nothing' })
  })
})
