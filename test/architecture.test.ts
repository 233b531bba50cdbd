import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  allImports,
  findCycles,
  findLeaks,
  findMisshapen,
  findProcess,
  findTime,
  findWrongImports,
  layers,
  type Sources,
} from './support/architecture.ts'

const root = resolve(import.meta.dirname, '..')
const sources = readFiles('src')

describe('the house', () => {
  test('is looked at as a whole', () => {
    expect(sources.size).toBeGreaterThan(60)
    expect(allImports(sources).length).toBeGreaterThan(3 * sources.size)
    const rooms = ['lib', 'redfish', 'bmc', 'image', 'tasks', 'devices', 'update', 'http', 'services', 'cli']
    expect(rooms.filter((room) => !existsSync(join(root, 'src', room)))).toEqual([])
    expect(layers.flat()).toHaveLength(new Set(layers.flat()).size)
  })

  test('has arrows that only point down', () => {
    expect(findWrongImports(sources)).toEqual([])
  })

  test('has no cycle, not even of types', () => {
    expect(findCycles(sources)).toEqual([])
  })

  test('touches disk, network and frameworks in their adapters only', () => {
    expect(findLeaks(sources)).toEqual([])
  })

  test('asks the clock for the time, and nobody else', () => {
    expect(findTime(sources)).toEqual([])
  })

  test('knows its process in main.ts only', () => {
    expect(findProcess(sources)).toEqual([])
  })

  test('has files of one subject, named and shaped by the conventions', () => {
    const files = ['src', 'test', 'scripts', 'bench'].flatMap((folder) =>
      [...readFiles(folder)].map(([path, text]) => [`${folder}/${path}`, text] as const),
    )
    expect(findMisshapen(new Map(files))).toEqual([])
  })
})

describe('a seeded violation is found:', () => {
  test.each<[string, (sources: Sources) => string[], Record<string, string>, RegExp]>([
    [
      'an arrow that points up',
      findWrongImports,
      { 'bmc/a.ts': from('../update/b.ts'), 'update/b.ts': '' },
      /bmc\/a.ts .*points down/,
    ],
    [
      'an arrow up from below a folder',
      findWrongImports,
      { 'image/formats/a.ts': from('../../http/b.ts'), 'http/b.ts': '' },
      /points down/,
    ],
    [
      'http that knows a service',
      findWrongImports,
      { 'http/a.ts': from('../services/x/b.ts'), 'services/x/b.ts': '' },
      /points down/,
    ],
    [
      'a service that knows another',
      findWrongImports,
      { 'services/x/a.ts': from('../y/b.ts'), 'services/y/b.ts': '' },
      /no other service/,
    ],
    [
      'an engine that knows another',
      findWrongImports,
      { 'image/a.ts': from('../tasks/b.ts'), 'tasks/b.ts': '' },
      /one layer/,
    ],
    [
      'a type that points up',
      findWrongImports,
      { 'lib/a.ts': "import type { B } from '../bmc/b.ts'", 'bmc/b.ts': '' },
      /points down/,
    ],
    [
      'a re-export that points up',
      findWrongImports,
      { 'lib/a.ts': "export { b } from '../bmc/b.ts'", 'bmc/b.ts': '' },
      /points down/,
    ],
    [
      'an import over several lines',
      findWrongImports,
      { 'lib/a.ts': "import {\n  b,\n  type C,\n} from '../bmc/b.ts'", 'bmc/b.ts': '' },
      /points down/,
    ],
    [
      'a side effect',
      findWrongImports,
      { 'lib/a.ts': "import '../bmc/b.ts'", 'bmc/b.ts': '' },
      /points down/,
    ],
    [
      'an import at run time',
      findWrongImports,
      { 'lib/a.ts': "const b = await import('../bmc/b.ts')", 'bmc/b.ts': '' },
      /points down/,
    ],
    [
      'an import of a type in place',
      findWrongImports,
      { 'lib/a.ts': "let b: import('../bmc/b.ts').B", 'bmc/b.ts': '' },
      /points down/,
    ],
    ['an import that is computed', findWrongImports, { 'lib/a.ts': 'await import(name)' }, /computed/],
    [
      'a client that knows the BMC',
      findWrongImports,
      { 'client/a.ts': from('../bmc/b.ts'), 'bmc/b.ts': '' },
      /only lib and redfish/,
    ],
    [
      'a service that uses the client',
      findWrongImports,
      { 'services/x/a.ts': from('../../client/b.ts'), 'client/b.ts': '' },
      /command line/,
    ],
    [
      'a room without a layer',
      findWrongImports,
      { 'attic/a.ts': from('../lib/b.ts'), 'lib/b.ts': '' },
      /attic has no layer/,
    ],
    ['an import from the tests', findWrongImports, { 'lib/a.ts': from('../../test/b.ts') }, /outside src/],
    [
      'a cycle of two',
      findCycles,
      { 'bmc/a.ts': from('./b.ts'), 'bmc/b.ts': from('./a.ts') },
      /bmc\/a.ts → bmc\/b.ts → bmc\/a.ts/,
    ],
    [
      'a cycle of types, over three',
      findCycles,
      {
        'lib/a.ts': "import type { X } from './b.ts'",
        'lib/b.ts': "import { type X } from './c.ts'",
        'lib/c.ts': "export type { X } from './a.ts'",
      },
      /a.ts → lib\/b.ts → lib\/c.ts → lib\/a.ts/,
    ],
    [
      'a disk',
      findLeaks,
      { 'update/a.ts': "import { readFileSync } from 'node:fs'" },
      /update\/a.ts imports node:fs/,
    ],
    [
      'a disk, promised',
      findLeaks,
      { 'http/a.ts': "import { rm } from 'node:fs/promises'" },
      /node:fs\/promises/,
    ],
    ['a socket', findLeaks, { 'client/a.ts': "import { connect } from 'node:net'" }, /node:net/],
    [
      'a server beside the server',
      findLeaks,
      { 'http/a.ts': "import { createServer, type IncomingMessage } from 'node:http'" },
      /node:http/,
    ],
    [
      'a timer of Node',
      findLeaks,
      { 'http/a.ts': "import { setTimeout as wait } from 'node:timers/promises'" },
      /node:timers/,
    ],
    [
      'Fastify in an engine',
      findLeaks,
      { 'tasks/a.ts': "import type { FastifyRequest } from 'fastify'" },
      /fastify/,
    ],
    ['Fastify made in http', findLeaks, { 'http/a.ts': "import { fastify } from 'fastify'" }, /fastify/],
    ['a time', findTime, { 'update/a.ts': 'const t = Date.now()' }, /uses Date/],
    ['a time in a template', findTime, { 'update/a.ts': 'const t = `at ${Date.now()}`' }, /uses Date/],
    ['a new Date', findTime, { 'services/x/a.ts': 'const t = new Date(clock.now())' }, /uses Date/],
    [
      'the present, where a Date may be held',
      findTime,
      { 'http/certificate.ts': 'const t = new Date()' },
      /uses Date/,
    ],
    ['a timer', findTime, { 'http/a.ts': 'setTimeout(f, 1)' }, /uses setTimeout/],
    [
      'a timeout by signal',
      findTime,
      { 'http/a.ts': 'fetch(u, { signal: AbortSignal.timeout(9) })' },
      /AbortSignal/,
    ],
    ['the environment', findProcess, { 'cli/a.ts': "run(process.env['X'])" }, /uses process/],
    ['the process handed on', findProcess, { 'cli/a.ts': 'const { env } = process' }, /uses = process/],
    ['the process by its global', findProcess, { 'cli/a.ts': 'globalThis["process"]' }, /uses globalThis/],
    ['a name in another case', findMisshapen, { 'src/myFile.ts': '' }, /kebab/],
    ['a name that says nothing', findMisshapen, { 'src/lib/string-utils.ts': '' }, /says nothing/],
    ['a folder that says nothing', findMisshapen, { 'src/helpers/a.ts': '' }, /says nothing/],
    ['a file of 401 lines', findMisshapen, { 'src/a.ts': 'x\n'.repeat(401) }, /400 lines/],
    ['a default export', findMisshapen, { 'src/a.ts': 'export default 1' }, /default/],
    [
      'a barrel',
      findMisshapen,
      { 'src/x/index.ts': "// all\nexport * from './a.ts'\nexport { b } from './b.ts'\n" },
      /re-exports/,
    ],
  ])('%s', (_what, find, files, violation) => {
    expect(find(new Map(Object.entries(files)))).toEqual([expect.stringMatching(violation)])
  })

  test.each<[string, (sources: Sources) => string[], Record<string, string>]>([
    ['an arrow that points down', findWrongImports, { 'update/a.ts': from('../bmc/b.ts'), 'bmc/b.ts': '' }],
    [
      'a neighbour in the same room',
      findWrongImports,
      { 'services/x/a.ts': from('./b.ts'), 'services/x/b.ts': '' },
    ],
    ['a registry', findWrongImports, { 'redfish/messages/a.ts': from('../../../schemas/registries/B.json') }],
    ['an import in a comment', findWrongImports, { 'lib/a.ts': `// ${from('../bmc/b.ts')}`, 'bmc/b.ts': '' }],
    [
      'two ways to one file',
      findCycles,
      { 'lib/a.ts': `${from('./b.ts')}\n${from('./c.ts')}`, 'lib/b.ts': from('./c.ts'), 'lib/c.ts': '' },
    ],
    ['a type of a request', findLeaks, { 'http/a.ts': "import { type IncomingMessage } from 'node:http'" }],
    ['words of time', findTime, { 'bmc/a.ts': "// since Date.now()\nconst d = 'Date' + releaseDate" }],
    [
      'a Date of a given time, where one is needed',
      findTime,
      { 'http/certificate.ts': 'const d = new Date(clock.now())' },
    ],
    ['the word process', findProcess, { 'cli/a.ts': '/** the process. */\nprocessed.push(1)' }],
    ['a file of 400 lines', findMisshapen, { 'src/a.ts': 'x\n'.repeat(400) }],
    [
      'an index with code',
      findMisshapen,
      { 'src/x/index.ts': "import { a } from './a.ts'\nexport const b = a\n" },
    ],
  ])('and no violation is seen in %s', (_what, find, files) => {
    expect(find(new Map(Object.entries(files)))).toEqual([])
  })
})

function from(path: string): string {
  return `import { x } from '${path}'`
}

function readFiles(folder: string): Sources {
  const path = join(root, folder)
  const names = existsSync(path) ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : []
  return new Map(
    names
      .filter((name) => name.endsWith('.ts'))
      .map((name) => [name.replaceAll('\\', '/'), readFileSync(join(path, name), 'utf8')]),
  )
}
