// expect: JS-100@2
if (true) {
}
