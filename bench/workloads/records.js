// Many short-lived records: built, copied with a change, read back, and dropped; some kept in a list.
'use strict';
const makeAccount = (id, balance) => ({ id, balance, history: null });
const moved = (account, amount) => ({ ...account, balance: account.balance + amount, history: { amount, before: account.history } });
const depth = history => {
  let count = 0;
  for (let entry = history; entry !== null; entry = entry.before) {
    count += 1;
  }
  return count;
};
let check = 0;
for (let round = 0; round < 40; round += 1) {
  let accounts = [];
  for (let i = 0; i < 300; i += 1) {
    accounts.push(makeAccount(i, 100));
  }
  for (let step = 0; step < 20; step += 1) {
    const next = [];
    for (let i = 0; i < accounts.length; i += 1) {
      next.push(moved(accounts[i], ((i * 7 + step * 3) % 5) - 2));
    }
    accounts = next;
  }
  for (let i = 0; i < accounts.length; i += 1) {
    const { id, balance, history } = accounts[i];
    check = (check * 31 + id + balance + depth(history)) % 1000003;
  }
}
print('records', check);
