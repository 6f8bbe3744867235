//! Prints what the content checker finds in a file: `look FILE PARTICIPANTS`.

use harness::content::Recording;
use harness::findings::grid;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("a file");
    let participants = arguments
        .next()
        .map_or(1, |text| text.parse().expect("a number"));
    let recording = Recording::open(path.as_ref()).expect("a readable file");
    println!("problems: {:#?}", recording.problems().expect("it decodes"));
    let sound = recording.sound().expect("sound");
    for (place, tile) in recording
        .tiles(&grid(participants))
        .expect("a picture")
        .iter()
        .enumerate()
    {
        println!("tile {place}: flashes {:.3?}", tile.flashes());
        println!(
            "  labelled {:.2}, frozen {:.1?}, placeholders {:.1?}",
            tile.labelled(),
            tile.frozen(0.5),
            tile.placeholders()
        );
        println!("  beeps {:.3?}", sound.beeps(400.0 + 200.0 * place as f64));
    }
}
