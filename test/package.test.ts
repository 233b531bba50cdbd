import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, matchesGlob, resolve } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'redflash-package-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string; readonly mode: number }[]
}

describe('the packed package', () => {
  const installed = join(scratch, 'installed')
  const { filename, files } = pack(installed)

  /** Runs the command where it is installed. */
  const redflash = (...parameters: readonly string[]) =>
    run(process.execPath, [join(installed, 'node_modules/redflash/dist/main.js'), ...parameters], installed)

  test('is right in the eyes of publint', async () => {
    const tarball = readFileSync(join(scratch, filename))
    const { messages, pkg } = await publint({
      pack: { tarball: tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength) },
      strict: true,
    })
    expect(pkg).toMatchObject({ name: 'redflash', license: 'Apache-2.0' })
    expect(messages.map((one) => formatMessage(one, pkg))).toEqual([])
  })

  test('holds what is needed to run, and nothing of how it is made', () => {
    const paths = files.map(({ path }) => path)
    expect(paths).toEqual(
      expect.arrayContaining([
        'dist/main.js',
        'dist/index.js',
        'dist/index.d.ts',
        'mockups/rackmount/machine.json',
        'schemas/LICENSE-DMTF.md',
        'LICENSE',
        'NOTICE',
        'README.md',
      ]),
    )
    const ours = /^(dist|mockups|schemas)\/|^(LICENSE|NOTICE|README\.md|package\.json)$/
    expect(paths.filter((path) => !ours.test(path) || /\.test\.|(?<!\.d)\.ts$/.test(path))).toEqual([])
  })

  test('runs its command where it is installed', () => {
    const { status, output } = redflash('--help')
    expect(status).toBe(0)
    expect(output).toMatch(/Usage: redflash [\s\S]*serve[\s\S]*image[\s\S]*push[\s\S]*demo/)
  })

  test('builds an image, and reads it', () => {
    expect(redflash('image', 'build', '--component', 'NIC-1=99.1.0', '-o', 'nic.tar')).toMatchObject({
      status: 0,
    })
    const { status, output } = redflash('image', 'inspect', 'nic.tar')
    expect(status).toBe(0)
    expect(output).toMatch(/NIC-1[\s\S]*version +99\.1\.0/)
  })

  test('is a library that starts, answers and closes', () => {
    writeFileSync(
      join(installed, 'use.js'),
      `import { createEmulator, VirtualClock } from 'redflash'
       const emulator = await createEmulator({ https: false, clock: new VirtualClock() })
       const response = await fetch(emulator.url + '/redfish/v1/')
       const { Id } = await response.json()
       await emulator.close()
       const gone = await fetch(emulator.url).then(() => 'still there', () => 'gone')
       console.log(response.status, Id, emulator.bmcs.length, gone)`,
    )
    expect(run(process.execPath, ['use.js'], installed)).toEqual({
      status: 0,
      output: '200 RootService 1 gone\n',
    })
  })

  test('brings the types of its library', () => {
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2024',
      '--lib',
      'es2024,esnext.disposable',
    ]
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types'), '--skipLibCheck']
    const check = (text: string) => {
      writeFileSync(join(installed, 'use.ts'), text)
      return run(join(root, 'node_modules/.bin/tsc'), [...options, ...types, 'use.ts'], installed)
    }
    const start = "import { createEmulator } from 'redflash'\nexport const emulator = await createEmulator("
    expect(
      check(
        `${start}{ machine: 'bladed', speed: 'max' })\nexport const url: string | undefined = emulator.url\n`,
      ),
    ).toEqual({
      status: 0,
      output: '',
    })
    expect(check(`${start}{ port: 'any' })\n`).output).toMatch(/TS2322.*string.*number/)
  })
})

describe('the Dockerfile', () => {
  const lines = existsSync(join(root, 'Dockerfile'))
    ? readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll(/\\\n/g, ' ').split('\n')
    : []
  const ignored = existsSync(join(root, '.dockerignore'))
    ? readFileSync(join(root, '.dockerignore'), 'utf8')
        .split('\n')
        .filter((line) => /^[^#\s]/.test(line))
    : []
  const instructions = (name: string): string[] =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1).trim())

  test('is there', () => {
    expect(lines).not.toEqual([])
  })

  test('copies only what exists and is not kept from it', () => {
    const sources = instructions('COPY')
      .filter((line) => !line.includes('--from='))
      .flatMap((line) =>
        line
          .split(/\s+/)
          .filter((word) => !word.startsWith('--'))
          .slice(0, -1),
      )
    expect(sources).toContain('package.json')
    expect(sources.filter((path) => !existsSync(join(root, path)))).toEqual([])
    expect(sources.filter((path) => isIgnored(path, ignored))).toEqual([])
  })

  test('copies all that the package holds, and what builds it', () => {
    const { files } = readPackage(join(root, 'package.json'))
    const copied = instructions('COPY').join(' ')
    const wanted = [...files, 'src', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']
    expect(wanted.filter((path) => !new RegExp(`(^|[ /])${path}( |$)`, 'm').test(copied))).toEqual([])
  })

  test('builds in two stages, and runs as nobody special, watched', () => {
    expect(instructions('FROM')).toHaveLength(2)
    expect(instructions('FROM').every((image) => image.startsWith('node:24-slim'))).toBe(true)
    expect(instructions('USER')).toEqual(['node'])
    expect(instructions('HEALTHCHECK')).toHaveLength(1)
  })

  test('gives no password: beyond loopback the service then refuses to start without one', () => {
    const environment = instructions('ENV').join(' ')
    expect(environment).toMatch(/REDFLASH_HOST=(0\.0\.0\.0|::)(?= |$)/)
    expect(lines.join('\n')).not.toMatch(/REDFLASH_PASSWORD=\w/)
  })

  test('would be caught ignoring what it copies', () => {
    expect(isIgnored('src/app.ts', ['src'])).toBe(true)
    expect(isIgnored('src', ['/src/'])).toBe(true)
    expect(isIgnored('tsconfig.json', ['*.json'])).toBe(true)
    expect(isIgnored('package.json', ['*.json', '!package.json'])).toBe(false)
    expect(isIgnored('schemas', ['test', 'docs'])).toBe(false)
  })
})

/** Whether the last line of .dockerignore that speaks of a path, or of a folder around it, excludes it. */
function isIgnored(path: string, patterns: readonly string[]): boolean {
  const segments = path.split('/')
  const around = segments.map((_, index) => segments.slice(0, index + 1).join('/'))
  const last = patterns.findLast((pattern) => {
    const bare = pattern
      .trim()
      .replace(/^!/, '')
      .replaceAll(/^\/|\/$/g, '')
    return around.some((one) => matchesGlob(one, bare))
  })
  return last !== undefined && !last.startsWith('!')
}

/**
 * Packs a copy of the project (building in place would take `dist/` from whoever uses it meanwhile), and puts what was
 * packed where `npm install` would, beside all that it says it depends on, and nothing else.
 */
function pack(installed: string): Packed {
  const copy = join(scratch, 'project')
  const parts = [
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'src',
    'schemas',
    'mockups',
    'README.md',
    'LICENSE',
    'NOTICE',
  ]
  for (const part of parts) cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const { status, output } = run('npm', ['pack', '--json', '--pack-destination', scratch], copy)
  if (status !== 0) throw new Error(output)
  const [packed] = JSON.parse(output.slice(output.indexOf('[\n'))) as readonly Packed[]
  if (packed === undefined) throw new Error('npm packed nothing')
  const modules = join(installed, 'node_modules')
  for (const { path } of packed.files) cpSync(join(copy, path), join(modules, 'redflash', path))
  const { dependencies } = readPackage(join(copy, 'package.json'))
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  return packed
}

/** What a package says of itself, ours. */
const readPackage = (path: string) =>
  JSON.parse(readFileSync(path, 'utf8')) as {
    readonly files: readonly string[]
    readonly dependencies: Readonly<Record<string, string>>
  }

/** Runs a program with the Node of this test; what npm says beside its output is kept for failures only. */
function run(program: string, parameters: readonly string[], cwd: string) {
  const PATH = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter)
  const { status, stdout, stderr, error } = spawnSync(program, parameters, {
    cwd,
    env: { ...process.env, PATH, NODE_OPTIONS: '', NODE_ENV: '' },
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  })
  return { status, output: status === 0 ? stdout : `${stdout}${stderr}${error?.message ?? ''}` }
}
