import { createHash } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { kill } from 'node:process'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { DeviceAdapter } from '../../src/devices/device.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { type DeviceJob, deviceJob, stages } from '../contracts/device-adapter.ts'
import { type JobOptions, rejection } from '../contracts/flasher.ts'
import { labAddress, SECRET, startCommand, startProgramAdapter } from '../support/own-devices.ts'

const never = new AbortController().signal
const OK = `echo '{"ok":true}'`
const FACTS = `echo '{"ok":true,"name":"lab-1","firmware":[{"id":"BIOS","version":"1.0.0"}]}'`
const image = Buffer.alloc(100_000, 'firmware')
const sha256 = createHash('sha256').update(image).digest('hex')

function job(options: JobOptions & { readonly image?: Buffer } = {}): DeviceJob {
  const firmware = { id: 'BIOS', name: 'BIOS', version: '1.0.0', updateable: true, of: 'system' } as const
  return deviceJob(labAddress, firmware, { image, version: '2.0.0', ...options })
}

/** A program whose answer to each operation is the same, but that it takes images. */
async function updated(adapter: DeviceAdapter): Promise<void> {
  for (const stage of stages) expect(await adapter[stage](job())).toMatchObject({ ok: true })
}

describe('a program', () => {
  test('is called for each thing that is asked, and told by its input what is meant', async () => {
    const { adapter, folder } = await startCommand(`cat > "$1.json"; [ "$1" = look ] && ${FACTS} || ${OK}`)
    const heard = async (name: string): Promise<unknown> =>
      JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8'))
    await adapter.look(labAddress, never)
    await adapter.reset(labAddress, { of: 'manager', type: 'ForceRestart' }, never)
    await updated(adapter)
    const who = { userName: 'root', password: SECRET }
    const what = { ...who, firmwareId: 'BIOS', currentVersion: '1.0.0', version: '2.0.0' }
    const bytes = { sizeBytes: image.byteLength, sha256 }
    expect(await heard('look')).toEqual(who)
    expect(await heard('reset')).toEqual({ ...who, resetOf: 'manager', resetType: 'ForceRestart' })
    expect(await heard('transfer')).toEqual({ ...what, ...bytes, image: expect.stringMatching(/^\//) })
    expect(await heard('verify')).toEqual({ ...what, ...bytes })
    expect(await heard('install')).toEqual({ ...what, ...bytes })
    expect(await heard('activate')).toEqual(what)
  })

  test('gets its target as it is, by no shell, and a secret neither there nor in its environment', async () => {
    vi.stubEnv('REDFLASH_PASSWORD', 'of-the-console')
    onTestFinished(() => void vi.unstubAllEnvs())
    const { adapter, folder } = await startCommand(
      `printf '%s\\n' "$@" > args; tr '\\0' '\\n' < /proc/$$/environ > environment; ${FACTS}`,
    )
    const hostName = `lab 1; touch "hacked" $(touch hacked) && 'x'`
    expect(await adapter.look({ ...labAddress, hostName }, never)).toMatchObject({ ok: true })
    expect(await readFile(join(folder, 'args'), 'utf8')).toBe(`look\n${hostName}\n`)
    const environment = await readFile(join(folder, 'environment'), 'utf8')
    expect(environment).toMatch(/^PATH=/m)
    expect(environment).not.toMatch(/swordfish|of-the-console/)
    await expect(stat(join(folder, 'hacked'))).rejects.toThrow('ENOENT')
  })

  test('need not read what it is told, nor tell more than the least', async () => {
    const { adapter } = await startCommand(FACTS)
    const password = 'x'.repeat(2 ** 20)
    expect(await adapter.look({ ...labAddress, password }, never)).toEqual({
      ok: true,
      value: {
        name: 'lab-1',
        resetTypes: [],
        managerResetTypes: [],
        firmware: [{ id: 'BIOS', name: 'BIOS', version: '1.0.0', updateable: true, of: 'system' }],
      },
    })
  })

  test('says how far it is, and which version runs', async () => {
    const { adapter } = await startCommand(`
      for share in 0 0.25 0.5 0.25; do echo "{\\"progress\\":$share}"; done
      if [ "$1" = activate ]; then echo '{"ok":true,"version":"2.0.1"}'; else ${OK}; fi`)
    const watched = job()
    await adapter.transfer(watched)
    expect(watched.shares).toEqual([0.25, 0.5, 1])
    expect(await adapter.activate(watched)).toEqual({ ok: true, value: { version: '2.0.1' } })
  })

  test('is heard by people, but for secrets, and not for ever', async () => {
    const { adapter, said } = await startCommand(`
      echo "logs in with ${SECRET.replaceAll('"', '\\"')}" >&2
      cat >&2
      echo '{"message":"knows swordfish \\"7\\", too"}'
      ${FACTS}`)
    await adapter.look(labAddress, never)
    const texts = said.map(({ text }) => text)
    expect(texts).toContain('logs in with ******')
    expect(texts).toContain('knows ******, too')
    expect(texts).toContain('{"userName":"root","password":"******"}')
    expect(said[0]).toMatchObject({ operation: 'look', target: 'lab-1' })
    const talker = await startCommand(`seq 1000 >&2; ${FACTS}`)
    await talker.adapter.look(labAddress, never)
    expect(talker.said).toHaveLength(101)
    const rambler = await startCommand(`printf '%09000d' 7 >&2; ${FACTS}`)
    await rambler.adapter.look(labAddress, never)
    expect(rambler.said.map(({ text }) => text.length)).toEqual([501])
  })
})

describe('an image', () => {
  test('is a file for the program alone, whole, and gone afterwards', async () => {
    const { adapter, folder, open } = await startCommand(`
      path=$(sed 's/.*"image":"\\([^"]*\\)".*/\\1/')
      [ "$1" = transfer ] && stat -c %a "$path" "$(dirname "$path")" > modes && cp "$path" copy && echo "$path" > path
      ${OK}`)
    expect(await adapter.transfer(job())).toMatchObject({ ok: true })
    expect(await readFile(join(folder, 'modes'), 'utf8')).toBe('600\n700\n')
    expect(image.equals(await readFile(join(folder, 'copy')))).toBe(true)
    const path = (await readFile(join(folder, 'path'), 'utf8')).trim()
    await expect(stat(path)).rejects.toThrow('ENOENT')
    expect(await open()).toEqual([])
    await adapter.close()
    await expect(stat(dirname(path))).rejects.toThrow('ENOENT')
  })

  test('is written as it comes', async () => {
    const sizes: number[] = []
    const { adapter, parent } = await startCommand(OK)
    const whole = job()
    const read = async function* (): AsyncIterable<Uint8Array> {
      for (let at = 0; at < image.byteLength; at += 20_000) {
        yield image.subarray(at, at + 20_000)
        const names = await readdir(parent, { recursive: true })
        const file = names.find((name) => /[\da-f]{12}$/.test(name)) ?? ''
        sizes.push((await stat(join(parent, file))).size)
      }
    }
    expect(await adapter.transfer({ ...whole, image: { ...whole.image, read } })).toMatchObject({ ok: true })
    expect(sizes).toEqual([20_000, 40_000, 60_000, 80_000, 100_000])
  })

  test.each([
    ['fails', `echo '{"ok":false,"kind":"busy","detail":"not now"}'`],
    ['says nothing', 'exit 3'],
    ['says nonsense', 'echo nonsense'],
    ['is killed', 'kill -9 $$'],
  ])('is gone where the program %s, and nothing is installed', async (_what, text) => {
    const { adapter, open } = await startCommand(text)
    expect(await adapter.transfer(job())).toMatchObject({ problem: { kind: 'failed' } })
    expect(await open()).toEqual([])
    expect(await adapter.verify(job())).toMatchObject({ problem: { kind: 'corrupt' } })
    expect(await adapter.install(job())).toMatchObject({ problem: { kind: 'nothing-installed' } })
  })

  test('that the disk does not take is a problem, and no program is called', async () => {
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    const images = { open: () => Promise.reject(full), remove: async () => {} }
    const { adapter, said } = await startCommand('echo called >&2', { images })
    const result = await adapter.transfer(job())
    expect(JSON.stringify(result)).toContain('ENOSPC')
    expect(result).toMatchObject({ problem: { kind: 'failed' } })
    expect(said).toEqual([])
  })

  test('that does not pass is not installed', async () => {
    const { adapter } = await startCommand(
      `[ "$1" = verify ] && echo '{"ok":false,"kind":"corrupt","detail":"another digest"}' || ${OK}`,
    )
    expect(await adapter.transfer(job())).toMatchObject({ ok: true })
    expect(await adapter.verify(job())).toEqual({ ok: false, problem: { kind: 'corrupt' } })
    expect(await adapter.install(job())).toMatchObject({ problem: { kind: 'nothing-installed' } })
  })
})

describe('a failure', () => {
  const failing = (kind: string) =>
    startCommand(`echo '{"ok":false,"kind":"${kind}","detail":"because of swordfish \\"7\\""}'`)

  test.each([
    ['unreachable', 'unreachable'],
    ['untrusted', 'untrusted'],
    ['unauthorized', 'unauthorized'],
    ['unsupported', 'unsupported'],
    ['busy', 'busy'],
    ['failed', 'failed'],
    ['corrupt', 'failed'],
  ])('%s of a device is %s', async (kind, told) => {
    const { adapter } = await failing(kind)
    const expected = { ok: false, problem: { kind: told, detail: 'because of ******' } }
    expect(await adapter.look(labAddress, never)).toEqual(expected)
    expect(await adapter.reset(labAddress, { of: 'system', type: 'On' }, never)).toEqual(expected)
  })

  test.each(['corrupt', 'no-power', 'nothing-installed'])('%s of a stage is just that', async (kind) => {
    const { adapter, said } = await failing(kind)
    expect(await adapter.activate(job())).toEqual({ ok: false, problem: { kind } })
    expect(said.map(({ text }) => text)).toEqual([`${kind}: because of ******`])
  })

  test.each(['failed', 'unreachable', 'busy'])('%s of a stage tells why', async (kind) => {
    const { adapter } = await failing(kind)
    const { component } = job()
    expect(await adapter.activate(job())).toMatchObject({
      problem: {
        kind: 'failed',
        why: [
          {
            MessageId: expect.stringMatching(/^Redflash\.[\d.]+\.DeviceFailed$/),
            MessageArgs: [component.uri, 'because of ******'],
          },
        ],
      },
    })
  })
})

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

  test('is given up when it has said nothing for too long, with all that it has started', async () => {
    const { adapter, clock, begun, open } = await start(HANGS)
    const looked = adapter.look(labAddress, never)
    await begun()
    await clock.advance(59_999)
    expect(await open()).not.toEqual([])
    await clock.advance(1)
    expect(await looked).toEqual({
      ok: false,
      problem: { kind: 'failed', detail: 'it has said nothing for too long' },
    })
    await expect.poll(open).toEqual([])
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

  test('has more time for a stage of an update', async () => {
    const { adapter, clock, begun, open } = await start(HANGS)
    const activated = adapter.activate(job())
    await begun()
    await clock.advance(1_799_999)
    expect(await open()).not.toEqual([])
    await clock.advance(1)
    expect(await activated).toMatchObject({ problem: { kind: 'failed' } })
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
})
