import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kill } from 'node:process'
import { describe, expect, test } from 'vitest'
import type { DeviceAdapter } from '../../src/devices/device.ts'
import { startProgram } from '../../src/devices/command/program.ts'
import { systemClock, VirtualClock } from '../../src/lib/clock.ts'
import { rejection } from '../contracts/flasher.ts'
import { FACTS, job, labAddress, OK, startCommand, startProgramAdapter } from '../support/own-devices.ts'

const never = new AbortController().signal

describe('what a program must not say:', () => {
  const firmware = '"firmware":[{"id":"BIOS","version":"1"}]'
  test.each([
    ['no JSON', 'Hello', /^its line 1 is wrong: it is no JSON object$/],
    ['no object', '[1]', /it is no JSON object/],
    ['nothing known', '{"what":1}', /\/what: expected nothing of that name/],
    ['a progress of a wrong type', '{"progress":"half"}', /\/progress: expected number/],
    ['a progress beyond the end', '{"progress":1.5}', /\/progress: expected <= 1/],
    ['an end that is none', '{"ok":"yes"}', /\/ok: expected true or false/],
    ['a kind that nobody knows', '{"ok":false,"kind":"odd","detail":""}', /\/kind: expected one of unreach/],
    ['a failure without a reason', '{"ok":false,"kind":"busy"}', /\/detail: expected a value/],
    ['no facts', '{"ok":true}', /\/name: expected a value; \/firmware: expected a value/],
    ['a member with a slip in its name', `{"ok":true,"name":"a","modell":"b",${firmware}}`, /\/modell: /],
    [
      'a reset that there is not',
      `{"ok":true,"name":"a","resetTypes":["Sideways"],${firmware}}`,
      /GracefulR/,
    ],
    ['a UUID that is none', `{"ok":true,"name":"a","uuid":"7",${firmware}}`, /\/uuid: /],
    [
      'an Id for no URI',
      '{"ok":true,"name":"a","firmware":[{"id":"a/b","version":"1"}]}',
      /\/firmware\/0\/id/,
    ],
    [
      'an Id twice',
      '{"ok":true,"name":"a","firmware":[{"id":"a","version":"1"},{"id":"a","version":"2"}]}',
      /a is there twice/,
    ],
  ])('%s', async (_what, line, detail) => {
    const { adapter } = await startCommand(`cat <<'END'\n${line}\nEND`)
    expect(await adapter.look(labAddress, never)).toEqual({
      ok: false,
      problem: { kind: 'failed', detail: expect.stringMatching(detail) },
    })
  })

  test.each([
    [
      'something after its last line',
      `${FACTS}; echo '{"progress":1}'`,
      /^it says more after its last line$/,
    ],
    ['a line without an end', `head -c 300000 /dev/zero; ${FACTS}`, /^its line 1 is wrong: it is too long$/],
    ['nothing', 'exit 0', /^it has not said how it ended; its exit code was 0$/],
    ['nothing, but an exit code', 'exit 3', /^it has not said how it ended; its exit code was 3$/],
    [
      'nothing, because it was killed',
      'kill -9 $$',
      /^it has not said how it ended; it was ended by SIGKILL$/,
    ],
  ])('%s', async (_what, text, detail) => {
    const { adapter, open } = await startCommand(text)
    expect(await adapter.look(labAddress, never)).toEqual({
      ok: false,
      problem: { kind: 'failed', detail: expect.stringMatching(detail) },
    })
    expect(await open()).toEqual([])
  })

  test.each([
    ['its lines have an end', `yes '{"progress":0.1}'`],
    ['its only line has none', 'cat /dev/zero'],
    ['nobody reads it', 'yes >&2'],
  ])('a program that prints for ever is ended where %s', async (_what, text) => {
    const { adapter, open, said } = await startCommand(text)
    expect(await adapter.look(labAddress, never)).toEqual({
      ok: false,
      problem: { kind: 'failed', detail: 'it says too much' },
    })
    expect(await open()).toEqual([])
    expect(said.length).toBeLessThan(103)
  })

  test('nonsense does not cut it short, and is not forgiven', async () => {
    const { adapter, folder } = await startCommand(`echo 'Flashing…'; sleep 0.1; touch done; ${OK}`)
    expect(await adapter.activate(job())).toMatchObject({ problem: { kind: 'failed' } })
    expect((await stat(join(folder, 'done'))).size).toBe(0)
  })

  test('what cannot be started says nothing', async () => {
    const { adapter } = await startProgramAdapter('/nowhere/device')
    const detail = 'it has not said how it ended; it could not be started: ENOENT'
    expect(await adapter.look(labAddress, never)).toEqual({ ok: false, problem: { kind: 'failed', detail } })
    const nul = await startCommand(FACTS)
    expect(await nul.adapter.look({ ...labAddress, hostName: 'a\0b' }, never)).toMatchObject({
      problem: { kind: 'failed', detail: expect.stringContaining('ERR_INVALID_ARG_VALUE') },
    })
  })
})

describe('a program that does not end', () => {
  const DEAF = `trap '' TERM; echo $$ > pid; while :; do sleep 1; done`
  const HANGS = 'echo $$ > pid; sleep 1000'
  const start = async (text: string) => {
    const clock = new VirtualClock()
    const command = await startCommand(text, { clock })
    const begun = async (): Promise<void> => {
      const pid = join(command.folder, 'pid')
      await expect.poll(() => readFile(pid, 'utf8').catch(() => '')).toMatch(/\d/)
    }
    return { ...command, clock, begun }
  }

  test.each<[string, number, (adapter: DeviceAdapter) => Promise<unknown>]>([
    ['a minute, where it looks', 60_000, (adapter) => adapter.look(labAddress, never)],
    ['half an hour, in a stage of an update', 1_800_000, (adapter) => adapter.activate(job())],
  ])('may say nothing for %s', async (_what, ms, ask) => {
    const { adapter, folder, clock, begun, open } = await start(`
      echo $$ > pid; until [ -e go ]; do sleep 0.01; done; [ "$1" = look ] && ${FACTS} || ${OK}`)
    const late = ask(adapter)
    await begun()
    await clock.advance(ms)
    expect(await late).toMatchObject({ problem: { kind: 'failed' } })
    expect(await open()).toEqual([])
    await rm(join(folder, 'pid'))
    const patient = ask(adapter)
    await begun()
    await clock.advance(ms - 1)
    await writeFile(join(folder, 'go'), '')
    expect(await patient).toMatchObject({ ok: true })
  })

  test('is given up with all that it has started', async () => {
    const { adapter, clock, begun, open } = await start(HANGS)
    const looked = adapter.look(labAddress, never)
    await begun()
    await clock.advance(60_000)
    const detail = 'it has said nothing for too long'
    expect(await looked).toEqual({ ok: false, problem: { kind: 'failed', detail } })
    expect(await open()).toEqual([])
  })

  test('is not given up while it says something', async () => {
    const { adapter, folder, said, clock, begun, open } = await start(`
      echo $$ > pid; until [ -e go ]; do sleep 0.01; done; echo '{"message":"on it"}'; sleep 1000`)
    const looked = adapter.look(labAddress, never)
    await begun()
    await clock.advance(59_999)
    await writeFile(join(folder, 'go'), '')
    await expect.poll(() => said.length).toBe(1)
    await clock.advance(59_999)
    expect(await open()).not.toEqual([])
    await clock.advance(1)
    expect(await looked).toMatchObject({ problem: { kind: 'failed' } })
  })

  test('is killed where it does not listen', async () => {
    const { adapter, clock, begun, open } = await start(DEAF)
    const abort = new AbortController()
    const transferred = rejection(adapter.transfer(job({ signal: abort.signal })))
    await begun()
    expect(await open()).toHaveLength(2)
    abort.abort(new Error('the machine was reset'))
    await clock.advance(4_999)
    expect(await open()).toHaveLength(2)
    await clock.advance(1)
    expect(await transferred).toBe('the machine was reset')
    expect(await open()).toEqual([])
  })

  test('is ended when it is not wanted any more, and its image is gone', async () => {
    const { adapter, begun, open } = await start(HANGS)
    const abort = new AbortController()
    const transferred = rejection(adapter.transfer(job({ signal: abort.signal })))
    await begun()
    abort.abort(new Error('cancelled'))
    expect(await transferred).toBe('cancelled')
    expect(await open()).toEqual([])
  })

  test('takes with it what does not listen, and is not heard any more', async () => {
    const { adapter, begun, open } = await start(`
      (trap '' TERM; while :; do sleep 1; done) > /dev/null 2>&1 &
      trap 'echo "{\\"progress\\":1}"; exit' TERM
      ${HANGS}`)
    const abort = new AbortController()
    const stopped = job({ signal: abort.signal })
    const activated = rejection(adapter.activate(stopped))
    await begun()
    abort.abort(new Error('cancelled'))
    expect(await activated).toBe('cancelled')
    expect(stopped.shares).toEqual([])
    await expect.poll(open).toEqual([])
  })

  test('is believed where it has said its last line', async () => {
    const { adapter, clock, begun, open } = await start(`${FACTS}; ${HANGS}`)
    const looked = adapter.look(labAddress, never)
    await begun()
    await clock.advance(10_000)
    expect(await looked).toMatchObject({ ok: true, value: { name: 'lab-1' } })
    await expect.poll(open).toEqual([])
  })

  test('is not waited for where it is one that was left in the background, and goes on', async () => {
    const { adapter, folder } = await startCommand(`sleep 1000 & echo $! > pid; ${OK}`)
    expect(await adapter.activate(job())).toMatchObject({ ok: true })
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'))
    expect(kill(pid, 0)).toBe(true)
    kill(pid, 'SIGKILL')
  })

  test('is not stopped any more when it has ended', async () => {
    const told: string[] = []
    const program = startProgram('/bin/sh', ['-c', 'sleep 1000 & echo $!'], {
      clock: systemClock,
      input: '',
      wrote: (_stream, chunk) => void told.push(Buffer.from(chunk).toString()),
    })
    expect(await program.ended).toBe('its exit code was 0')
    program.stop()
    const pid = Number(told.join(''))
    expect((await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ')).toBe('sleep 1000 ')
    kill(pid, 'SIGKILL')
  })
})
