import { describe, expect, test } from 'vitest'
import { indexPaths } from '../src/http/path-index.ts'

const paths = ['/a', '/a/:id', '/a/fixed', '/a/:other/b', '/a/:id/b/:id2', '/m/*', '/m/known', '/$x']
const find = indexPaths(() => paths.map((path) => ({ path })))

describe('a path is found', () => {
  test.each([
    ['/a', '/a', {}],
    ['/a/1', '/a/:id', { id: '1' }],
    ['/a/fixed', '/a/fixed', {}],
    ['/a/fixed/b', '/a/:other/b', { other: 'fixed' }],
    ['/a/1/b/2', '/a/:id/b/:id2', { id: '1', id2: '2' }],
    ['/a/%2F%25', '/a/:id', { id: '/%' }],
    ['/m/known', '/m/known', {}],
    ['/m/known/more', '/m/*', { '*': 'known/more' }],
    ['/%24x', '/$x', {}],
  ])('%s as %s', (path, as, params) => {
    expect(find(path)).toEqual({ value: { path: as }, params })
  })

  test.each(['', '/', '*', '/b', '/a/', '/a//b', '/a/1/c', '/a%2F1', '/a/%', '/m'])('%s not', (path) => {
    expect(find(path)).toBeUndefined()
  })
})

test('two that serve one path are a mistake', () => {
  const twice = indexPaths(() => [{ path: '/a/:id' }, { path: '/a/:name' }])
  expect(() => twice('/a/1')).toThrow('two serve /a/:name')
})
