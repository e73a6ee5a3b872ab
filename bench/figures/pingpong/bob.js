export default () => Far('bob', { ping: i => i });
