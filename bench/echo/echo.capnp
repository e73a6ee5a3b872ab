@0xd5f3a8b1c2e49607;

interface Echo {
  echo @0 (n :Int64, text :Text) -> (n :Int64, text :Text);
}
