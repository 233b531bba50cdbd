import { DatabaseSync, type StatementSync } from 'node:sqlite'

/*
 * Given to node by --import: the process kills itself at the commit that DIE_AT counts to, just before it or just after,
 * as DIE says. Nothing of the service knows of it.
 */
const { DIE_AT, DIE } = process.env
let left = Number(DIE_AT)

const { prototype } = DatabaseSync
const prepare = Object.getOwnPropertyDescriptor(prototype, 'prepare')?.value as DatabaseSync['prepare']

prototype.prepare = function (this: DatabaseSync, sql: string): StatementSync {
  const statement = prepare.call(this, sql)
  if (sql !== 'COMMIT') return statement
  const commit = statement.run.bind(statement)
  statement.run = () => {
    left--
    if (left === 0 && DIE === 'before') process.kill(process.pid, 'SIGKILL')
    const done = commit()
    if (left === 0 && DIE === 'after') process.kill(process.pid, 'SIGKILL')
    return done
  }
  return statement
}
